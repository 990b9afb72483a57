// Keys as sm-crypto writes them: a line "SM2 kind name base64" for each spelling, and for each way of signing MESSAGE.
import crypto from "sm-crypto";

const { sm2 } = crypto;
const say = (kind, name, text) => console.log("SM2", kind, name, Buffer.from(text).toString("base64"));
const { privateKey, publicKey } = sm2.generateKeyPairHex();
const message = "MESSAGE";
say("private", "privateKey", privateKey);
say("public", "publicKey", publicKey);
say("public", "publicKey.slice(2)", publicKey.slice(2));
say("compressed", "compressPublicKeyHex", sm2.compressPublicKeyHex(publicKey));
say("signature.hex+digest.none", "without_hash", sm2.doSignature(message, privateKey, { hash: false }));
say("signature.hex", "hash", sm2.doSignature(message, privateKey, { hash: true, publicKey }));
say("signature.hex+signature.der", "hash,der", sm2.doSignature(message, privateKey, { hash: true, der: true, publicKey }));
say("signature.hex+digest.user-id", "userId", sm2.doSignature(message, privateKey, { hash: true, publicKey, userId: "hospital-7" }));
