// What a phone does by itself, without the platform: spell a text (Spec 2.1), make a one-time code (Spec 3.2), sign a
// display (Spec 3.3), answer a challenge (Spec 3.4). Keys stay in the browser's own key store.

const DIGITS = [0, 3, 5, 8, 10, 13, 15, 17]; // of a group of so many bytes
const utf8 = new TextEncoder();

export const fromHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

function spell(prefix, bytes, code = "") {
  let body = prefix;
  for (let at = 0; at < bytes.length; at += 7) {
    const group = bytes.slice(at, at + 7).reverse(); // little-endian
    body += BigInt("0x" + toHex(group)).toString().padStart(DIGITS[group.length], "0");
  }
  body += code;
  return body + (98n - ((BigInt(body) * 100n) % 97n)).toString().padStart(2, "0");
}

function unspell(text) {
  const bytes = [];
  for (let at = 2; at < text.length - 2; at += 17) {
    const digits = text.slice(at, Math.min(at + 17, text.length - 2));
    const size = DIGITS.indexOf(digits.length);
    let group = BigInt(digits);
    if (size < 1 || group >= 1n << BigInt(8 * size)) throw new RangeError("no text of ours");
    for (let i = 0; i < size; i++, group >>= 8n) bytes.push(Number(group & 255n));
  }
  return Uint8Array.from(bytes);
}

// Profile 2: RFC 6238 with SHA-256, 8 digits, steps of 30 s.
export async function rotatingText(pass, key, now) {
  const step = new DataView(new ArrayBuffer(8));
  step.setUint32(4, Math.floor(now / 30));
  const digest = new DataView(await crypto.subtle.sign("HMAC", key, step.buffer));
  const number = digest.getUint32(digest.getUint8(31) & 15) & 0x7fffffff;
  return spell("97", pass, String(number % 100_000_000).padStart(8, "0"));
}

export const rotatingKey = (secret) =>
  crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);

// Profile 3: a COSE_Sign1 around the pass, by a key that cannot leave this browser.
export const newDeviceKey = () =>
  crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);

// The public key, and the proof that this browser holds the private one: the platform's challenge, signed by it.
export async function provenKey({ publicKey, privateKey }, challenge) {
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)).slice(1);
  const message = join(utf8.encode("ybtoken enrolment 1"), fromHex(challenge), point);
  const proof = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, message);
  return { x: toHex(point.slice(0, 32)), y: toHex(point.slice(32)), challenge, signature: toHex(new Uint8Array(proof)) };
}

const HEADER = fromHex("43a10126"); // {1: -7}, as a byte string
const SIGNED = join(fromHex("846a"), utf8.encode("Signature1"), HEADER, [0x40]);

export async function deviceBoundText(pass, key, now, challenge = "") {
  const time = new Uint8Array(4);
  new DataView(time.buffer).setUint32(0, now);
  const nonce = crypto.getRandomValues(new Uint8Array(8));
  const answer = challenge ? join([0x4c], await answerTo(challenge)) : [];
  const stated = join([challenge ? 0x84 : 0x83, 0x58, pass.length], pass, [0x1a], time, [0x48], nonce, answer);
  const payload = join([0x58, stated.length], stated);
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, join(SIGNED, payload));
  return spell("98", join([0xd2, 0x84], HEADER, [0xa0], payload, [0x58, 0x40], new Uint8Array(signature)));
}

async function answerTo(challenge) {
  const asked = join(utf8.encode("ybtoken challenge"), unspell(challenge));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", asked)).slice(0, 12);
}

export const isChallenge = (text) => /^95\d{17,}$/.test(text) && BigInt(text) % 97n === 1n;
