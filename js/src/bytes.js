// Bytes: hex, base64url, UTF-8, and comparison.

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export const toHex = (bytes) => {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
};

export const fromHex = (text) => {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new RangeError("hex has two of 0-9 a-f for each byte");
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => parseInt(text.slice(2 * at, 2 * at + 2), 16));
};

export const concat = (...parts) => {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

export const utf8 = (text) => new TextEncoder().encode(text);

// A byte order mark is a character like any other here; invalid UTF-8 raises a TypeError.
export const fromUtf8 = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES = new Map([...ALPHABET].map((letter, value) => [letter, value]));

/** Base64url in its one form (RFC 7515 section 2): no padding, and the unused bits are zero. */
export const fromBase64url = (text) => {
  if (typeof text !== "string" || text.length % 4 === 1) throw new RangeError("not base64url");
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const letter of text) {
    const value = VALUES.get(letter);
    if (value === undefined) throw new RangeError("not base64url");
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >> bits) & 0xff;
    }
  }
  if (held & ((1 << bits) - 1)) throw new RangeError("not base64url in its one form");
  return bytes;
};
