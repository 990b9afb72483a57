// Step 1: the spelling of bytes as decimal digits (Spec 2.1).

import { TokenError } from "./errors.js";

export const MAX_TEXT = 800;
const PREFIXES = { 96: 1, 97: 2, 98: 3 };
export const CHALLENGE_PREFIX = "95";
const LONGEST_OTHER = 40; // digits of the longest other code that a counter scans
const LAST_DIGITS = [0, 3, 5, 8, 10, 13, 15];

/**
 * Read a text.
 *
 * @param {string} text
 * @param {boolean} challenge read the text of a challenge, and not of a token
 * @returns {{profile: number | undefined, bytes: Uint8Array, otp: string}}
 */
export function decodeText(text, challenge = false) {
  if (typeof text !== "string") throw new TypeError("a token's text is a string");
  // The length counts code points: one outside the BMP has two units, and its length is counted as one.
  if (text.length > 2 * MAX_TEXT || (text.length > MAX_TEXT && [...text].length > MAX_TEXT)) {
    throw new TokenError("text.length");
  }
  const prefix = text.slice(0, 2);
  const profile = Object.hasOwn(PREFIXES, prefix) ? PREFIXES[prefix] : undefined;
  if (challenge ? prefix !== CHALLENGE_PREFIX : profile === undefined) {
    const known = profile !== undefined || prefix === CHALLENGE_PREFIX;
    const cut = !known && text.length > LONGEST_OTHER && /^[0-9]+$/.test(text);
    throw new TokenError(cut ? "text.beginning" : "text.prefix");
  }
  if (!/^[0-9]+$/.test(text)) throw new TokenError("text.digits");
  const end = text.length - (profile === 2 ? 10 : 2);
  const digits = end - 2;
  const lastBytes = LAST_DIGITS.indexOf(digits % 17);
  if (digits < 1 || lastBytes < 0) throw new TokenError("text.length");
  const whole = Math.floor(digits / 17);
  const bytes = new Uint8Array(7 * whole + lastBytes);
  for (let group = 0; group * 17 < digits; group++) {
    // A group of 17 digits is above 2^53, so it is read in two halves: 10^9 * high + low.
    const piece = text.slice(2 + 17 * group, Math.min(2 + 17 * (group + 1), end));
    const size = group < whole ? 7 : lastBytes;
    let rest = BigInt(piece);
    if (rest >> BigInt(8 * size)) throw new TokenError("text.range");
    for (let at = 0; at < size; at++, rest >>= 8n) bytes[7 * group + at] = Number(rest & 0xffn);
  }
  const check = text.slice(-2);
  if (mod97(text) !== 1 || check === "00" || check === "01" || check === "99") throw new TokenError("text.check");
  return { profile, bytes, otp: profile === 2 ? text.slice(-10, -2) : "" };
}

/** Spell bytes under a prefix: what a terminal shows as its challenge. */
export function encodeText(prefix, bytes) {
  let text = prefix;
  for (let at = 0; at < bytes.length; at += 7) {
    const group = bytes.subarray(at, at + 7);
    const number = group.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    text += String(number).padStart(group.length === 7 ? 17 : LAST_DIGITS[group.length], "0");
  }
  return text + String(98 - mod97(`${text}00`)).padStart(2, "0");
}

function mod97(digits) {
  let rest = 0;
  for (let at = 0; at < digits.length; at += 12) {
    const piece = digits.slice(at, at + 12);
    rest = (rest * 10 ** piece.length + Number(piece)) % 97;
  }
  return rest;
}

/** Remove what scanners add to a text, and nothing else (Spec 2.1). */
export function normalizeScan(scanned) {
  return scanned
    .replace(/[\x00-\x20\x7f\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+/g, "")
    .replace(/[\uff10-\uff19]/g, (digit) => String(digit.charCodeAt(0) - 0xff10))
    .replace(/^(?:\]Q[0-6])?(?:\\[0-9]{6})*/, "");
}

