// Key rings: the public keys that are trusted, and what each may sign (Spec 5).

import { fromBase64url, fromHex, fromUtf8, toHex } from "./bytes.js";
import { Reader } from "./cbor.js";
import { copyOf } from "./checks.js";
import { DEFAULT_USER_ID, P256, SM2, isPoint, sha256, verifierOf } from "./curves.js";
import { Malformed } from "./errors.js";
import { parseStrictJson } from "./json.js";
import { Scope } from "./scope.js";
import { ALGORITHMS, headerOf } from "./token.js";

const JWK_CURVES = { "P-256": P256, SM2 };
const JWK_ALGORITHMS = { ES256: -7, ESP256: -9, SM2: -65537 };
const STANDARD = { 1: "kty", 2: "kid", 3: "alg", "-1": "crv", "-2": "x", "-3": "y" };
const OURS = {
  "-65537": "yb_issuer", "-65538": "yb_scope", "-65539": "yb_except", "-65540": "nbf", "-65541": "exp",
  "-65542": "yb_withdrawn_since", "-65543": "yb_user_id", "-65544": "yb_use", "-65545": "yb_status_uri",
};
const JWK_MEMBERS = new Set([...Object.values(STANDARD), ...Object.values(OURS), "use", "key_ops", "ext"]);
const FOREVER = 2 ** 32;
const LATEST = 2 ** 32 - 1;
const MOST_KEYS = 0xffff;
const MOST_USER_ID = 8191;
const REQUIRED = ["kty", "crv", "x", "y", "alg", "yb_issuer"];
// What a name or an address must not hold: controls, invisible and direction-changing characters, lone surrogates.
const UNNAMEABLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Cs}/u;

const refuse = (what) => {
  throw new RangeError(what);
};

/** The public keys a verifier trusts: immutable. All keys are for tokens, or all for status lists. */
export class KeyRing {
  #byHeader = new Map();

  constructor(entries, version = 0) {
    if (entries.length > MOST_KEYS) refuse(`a key ring holds at most ${MOST_KEYS} keys`);
    this.entries = Object.freeze([...entries]);
    this.version = version; // a later ring has a greater one; 0 is not stated
    this.use = this.entries[0]?.use ?? "tokens";
    const kids = new Set();
    for (const entry of this.entries) {
      if (entry.use !== this.use) refuse("keys for tokens and keys for status lists are in rings of their own");
      if (kids.has(entry.kid)) refuse(`two keys have the kid ${entry.kid}: a key has one algorithm and one entry`);
      kids.add(entry.kid);
      this.#byHeader.set(toHex(headerOf(entry.algorithm, fromHex(entry.kid))), entry);
    }
    Object.freeze(this);
  }

  /** The entry of a raw protected header of a token, or nothing. */
  byHeader(header) {
    return this.#byHeader.get(toHex(header));
  }

  /** Read the text of a JWK Set (a string, or bytes in UTF-8). Raises a RangeError for anything malformed. */
  static async fromJwks(document) {
    let text = document;
    if (document instanceof Uint8Array) {
      try {
        text = fromUtf8(document);
      } catch {
        refuse("a JWK Set is UTF-8");
      }
    } else if (typeof document !== "string") {
      throw new TypeError("a JWK Set is given as its text: an object no longer shows a member that stood twice");
    }
    const set = parseStrictJson(text);
    const others = set instanceof Map ? [...set.keys()].filter((name) => name !== "keys" && name !== "yb_version") : [""];
    if (others.length > 0 || !Array.isArray(set.get("keys"))) {
      refuse('a JWK Set is an object with an array "keys" and no other member but "yb_version"');
    }
    const version = set.has("yb_version") ? set.get("yb_version") : 0;
    if (set.has("yb_version") && !(Number.isSafeInteger(version) && version >= 1)) {
      refuse('"yb_version" is an integer from 1 on');
    }
    const entries = set.get("keys").map((jwk, number) => numbered(number, () => fromJwk(jwk)));
    return new KeyRing(await Promise.all(entries), version);
  }

  /** Read the bytes of a COSE_KeySet. Raises a RangeError for anything malformed. */
  static async fromCoseKeySet(document) {
    const bytes = copyOf("a COSE_KeySet", document); // the keys are views of it
    let keys;
    try {
      const reader = new Reader(bytes);
      keys = reader.item();
      reader.end();
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      refuse("a COSE_KeySet is CBOR in shortest form and definite lengths, and has each label once");
    }
    if (!Array.isArray(keys)) refuse("a COSE_KeySet is an array");
    return new KeyRing(await Promise.all(keys.map((key, number) => numbered(number, () => fromCoseKey(key)))));
  }
}

async function numbered(number, read) {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`key ${number} of the set: ${error.message}`);
    throw error;
  }
}

function fromJwk(jwk) {
  if (!(jwk instanceof Map)) refuse("a key is an object");
  if (jwk.has("d")) refuse("this is a private key: a key ring holds public keys only");
  for (const name of jwk.keys()) if (!JWK_MEMBERS.has(name)) refuse(`unknown member ${name}`);
  for (const name of REQUIRED) if (!jwk.has(name)) refuse(`${name} is missing`);
  if (jwk.get("kty") !== "EC" || (jwk.has("use") && jwk.get("use") !== "sig")) {
    refuse('a key has "kty": "EC", and "use": "sig" if it states one');
  }
  const operations = jwk.get("key_ops");
  if (jwk.has("key_ops") && !(Array.isArray(operations) && operations.length === 1 && operations[0] === "verify")) {
    refuse('"key_ops" is ["verify"]');
  }
  if (jwk.has("ext") && typeof jwk.get("ext") !== "boolean") refuse('"ext" is true or false'); // WebCrypto's
  const [curve, algorithm] = [jwk.get("crv"), jwk.get("alg")];
  // hasOwn would take an array for its string: ["P-256"] for "P-256".
  const among = (table, name) => typeof name === "string" && Object.hasOwn(table, name);
  if (!among(JWK_CURVES, curve) || !among(JWK_ALGORITHMS, algorithm)) refuse("an unknown curve or algorithm");
  const kid = jwk.get("kid");
  if (jwk.has("kid") && !(typeof kid === "string" && /^[0-9a-f]{16}$/.test(kid))) refuse("a kid is 16 of 0-9 a-f");
  return entryOf(jwk, {
    curve: JWK_CURVES[curve],
    algorithm: JWK_ALGORITHMS[algorithm],
    x: fromBase64url(jwk.get("x")),
    y: fromBase64url(jwk.get("y")),
    kid,
    userId: jwk.has("yb_user_id") ? fromBase64url(jwk.get("yb_user_id")) : undefined,
  });
}

function fromCoseKey(key) {
  if (!(key instanceof Map)) refuse("a key is a map");
  const members = new Map();
  for (const [label, value] of key) {
    const name = STANDARD[label] ?? OURS[label];
    if (name === undefined) refuse(`unknown label ${label}`);
    members.set(name, value);
  }
  for (const name of REQUIRED) if (!members.has(name)) refuse(`${name} is missing`);
  const [curve, algorithm, kid, userId] = ["crv", "alg", "kid", "yb_user_id"].map((name) => members.get(name));
  if (members.get("kty") !== 2) refuse("a key has kty 2 (EC2)");
  if (curve !== P256 && curve !== SM2) refuse("an unknown curve");
  if (!Number.isInteger(algorithm) || !Object.hasOwn(ALGORITHMS, algorithm)) refuse("an unknown algorithm");
  for (const name of ["x", "y", "kid", "yb_user_id"]) {
    if (members.has(name) && !(members.get(name) instanceof Uint8Array)) refuse(`${name} is a byte string`);
  }
  return entryOf(members, {
    curve,
    algorithm,
    x: members.get("x"),
    y: members.get("y"),
    kid: kid && toHex(kid),
    userId,
  });
}

async function entryOf(members, { curve, algorithm, x, y, kid, userId }) {
  if (ALGORITHMS[algorithm] !== curve) refuse("the algorithm is not one of the curve");
  if (x.length !== 32 || y.length !== 32) refuse("coordinates have 32 bytes");
  if (!isPoint(curve, x, y)) refuse("the point is not on its curve");
  if (userId !== undefined && curve !== SM2) refuse("yb_user_id is for SM2 keys");
  if (userId !== undefined && !(userId.length >= 1 && userId.length <= MOST_USER_ID)) {
    refuse(`a user id has 1 to ${MOST_USER_ID} bytes`);
  }
  const computed = await thumbprint(curve, x, y);
  if (kid !== undefined && kid !== computed) refuse(`the kid is ${computed}, not what is stated`);
  const notBefore = time(members, "nbf") ?? 0;
  const notAfter = time(members, "exp") ?? FOREVER;
  if (notBefore >= notAfter) refuse("nbf is below exp");
  const use = members.has("yb_use") ? members.get("yb_use") : "tokens";
  if (use !== "tokens" && use !== "status") refuse('yb_use is "tokens" or "status"');
  if (use === "status" && members.has("yb_status_uri")) refuse("a key for status lists has no status list itself");
  return Object.freeze({
    kid: computed,
    curve,
    algorithm,
    issuer: name(members, "yb_issuer"),
    scope: new Scope(prefixes(members, "yb_scope"), prefixes(members, "yb_except")),
    notBefore,
    notAfter,
    withdrawnSince: time(members, "yb_withdrawn_since"),
    userId: curve === SM2 ? toHex(userId ?? DEFAULT_USER_ID) : undefined,
    use,
    statusUri: members.has("yb_status_uri") ? name(members, "yb_status_uri") : undefined,
    verify: verifierOf(curve, x, y, userId),
  });
}

/** The first 8 bytes of the SHA-256 COSE Key Thumbprint (RFC 9679), in hex. */
async function thumbprint(curve, x, y) {
  const curveBytes = curve === P256 ? [1] : [0x3a, 0, 1, 0, 0];
  const key = Uint8Array.of(0xa4, 1, 2, 0x20, ...curveBytes, 0x21, 0x58, 0x20, ...x, 0x22, 0x58, 0x20, ...y);
  return toHex((await sha256(key)).subarray(0, 8));
}

function time(members, member) {
  if (!members.has(member)) return undefined;
  const value = members.get(member);
  const good = Number.isSafeInteger(value) && value >= 0 && value <= LATEST;
  return good ? value : refuse(`${member} is 0 to 2^32 - 1 seconds since 1970; is it in milliseconds?`);
}

function name(members, member) {
  const value = members.get(member);
  const good = typeof value === "string" && value !== "" && !UNNAMEABLE.test(value);
  return good ? value : refuse(`${member} is at least one character, and none of them is a control`);
}

function prefixes(members, member) {
  const value = members.has(member) ? members.get(member) : [];
  return Array.isArray(value) ? value : refuse(`${member} is an array of prefixes`);
}
