// The two curves: their parameters, their points, and the verification of signatures.
//
// WebCrypto verifies ES256 if it is available. Otherwise, and for SM2, which WebCrypto lacks, the arithmetic is that of
// @noble/curves, which is loaded when it is first needed.

import { concat, utf8 } from "./bytes.js";
import { sm3 } from "./sm3.js";

export const P256 = 1;
export const SM2 = -65537;
export const DEFAULT_USER_ID = utf8("1234567812345678");

export const CURVES = {
  [P256]: {
    p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    h: 1n,
    a: 0xffffffff00000001000000000000000000000000fffffffffffffffffffffffcn,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    Gx: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
    Gy: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
  },
  [SM2]: {
    p: 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn,
    n: 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n,
    h: 1n,
    a: 0xfffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffcn,
    b: 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n,
    Gx: 0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
    Gy: 0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n,
  },
};

const numberOf = (bytes) => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);

const bytesOf = (number) => {
  const bytes = new Uint8Array(32);
  for (let at = 31; at >= 0; at--, number >>= 8n) bytes[at] = Number(number & 0xffn);
  return bytes;
};

const subtle = () => globalThis.crypto?.subtle; // not there in a page that came over plain HTTP

export async function sha256(data) {
  if (subtle()) return new Uint8Array(await subtle().digest("SHA-256", data));
  return (await import("./noble.js")).sha256(data);
}

/** Whether coordinates of 32 bytes each are a point of the curve. */
export function isPoint(curve, x, y) {
  const { p, a, b } = CURVES[curve];
  const [left, right] = [numberOf(x), numberOf(y)];
  return left < p && right < p && (right * right - (left * left * left + a * left + b)) % p === 0n;
}

/** The y of a compressed point, or nothing if there is no such point. */
export function yOf(curve, x, odd) {
  const { p, a, b } = CURVES[curve];
  const left = numberOf(x);
  if (left >= p) return undefined;
  const square = (((left * left + a) % p) * left + b) % p;
  let root = power(square, (p + 1n) / 4n, p); // both primes are 3 modulo 4
  if ((root * root) % p !== square) return undefined;
  if ((root & 1n) !== BigInt(odd)) root = p - root;
  return root < p ? bytesOf(root) : undefined;
}

/**
 * A function that says whether a signature over a message is good.
 *
 * @param {number} curve
 * @param {Uint8Array} x
 * @param {Uint8Array} y a point of the curve
 * @param {Uint8Array} userId of SM2 keys
 * @returns {(message: Uint8Array, signature: Uint8Array) => Promise<boolean>}
 */
export function verifierOf(curve, x, y, userId = DEFAULT_USER_ID) {
  return curve === SM2 ? sm2Verifier(x, y, userId) : es256Verifier(x, y);
}

function es256Verifier(x, y) {
  let key;
  return async (message, signature) => {
    if (!subtle()) return es256ByPoints(await pointOf(P256, x, y), message, signature);
    key ??= subtle().importKey("raw", concat([4], x, y), { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
    return subtle().verify({ name: "ECDSA", hash: "SHA-256" }, await key, signature, message);
  };
}

/** FIPS 186-5 section 6.4.2. */
async function es256ByPoints(point, message, signature) {
  const { n } = CURVES[P256];
  const [r, s] = numbersOf(signature);
  if (!(r > 0n && r < n && s > 0n && s < n)) return false;
  const w = power(s, n - 2n, n);
  const u = (numberOf(await sha256(message)) * w) % n;
  const sum = point.constructor.BASE.multiplyUnsafe(u).add(point.multiplyUnsafe((r * w) % n));
  return !sum.is0() && sum.toAffine().x % n === r;
}

function sm2Verifier(x, y, userId) {
  const { a, b, Gx, Gy } = CURVES[SM2];
  // ZA (GB/T 32918.2 section 5.5), once for each key
  const bits = [(8 * userId.length) >> 8, (8 * userId.length) & 255];
  const za = sm3(concat(bits, userId, ...[a, b, Gx, Gy].map(bytesOf), x, y));
  return async (message, signature) => sm2ByPoints(await pointOf(SM2, x, y), sm3(concat(za, message)), signature);
}

/** GB/T 32918.2 section 7.1. */
function sm2ByPoints(point, digest, signature) {
  const { n } = CURVES[SM2];
  const [r, s] = numbersOf(signature);
  const t = (r + s) % n;
  if (!(r > 0n && r < n && s > 0n && s < n && t !== 0n)) return false;
  const sum = point.constructor.BASE.multiplyUnsafe(s).add(point.multiplyUnsafe(t));
  return !sum.is0() && (numberOf(digest) + sum.toAffine().x) % n === r;
}

const numbersOf = (signature) => [numberOf(signature.subarray(0, 32)), numberOf(signature.subarray(32))];

const points = new Map();

async function pointOf(curve, x, y) {
  if (!points.has(curve)) {
    const { weierstrass } = await import("./noble.js");
    points.set(curve, weierstrass(CURVES[curve]));
  }
  return points.get(curve).fromAffine({ x: numberOf(x), y: numberOf(y) });
}

function power(base, exponent, modulus) {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === "1") result = (result * base) % modulus;
  }
  return result;
}
