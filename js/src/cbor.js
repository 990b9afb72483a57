// The part of CBOR that the format uses, in shortest form and with definite lengths only (RFC 8949 section 4.2.1).

import { fromUtf8 } from "./bytes.js";
import { Malformed } from "./errors.js";

const [UINT, NINT, BYTES, TEXT, ARRAY, MAP] = [0, 1, 2, 3, 4, 5];
const DEEPEST = 8;

/** Reads items one after another; raises Malformed for whatever is not there, or not in its shortest form. */
export class Reader {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }

  #head() {
    const first = this.data[this.at++];
    if (first === undefined) throw new Malformed();
    let number = first & 31;
    if (number > 23) {
      const width = { 24: 1, 25: 2, 26: 4, 27: 8 }[number];
      if (width === undefined || this.at + width > this.data.length) throw new Malformed();
      number = 0;
      for (let i = 0; i < width; i++) number = number * 256 + this.data[this.at++];
      const least = { 1: 24, 2: 2 ** 8, 4: 2 ** 16, 8: 2 ** 32 }[width];
      if (number < least) throw new Malformed();
    }
    return [first >> 5, number];
  }

  #expect(major) {
    const [found, number] = this.#head();
    if (found !== major) throw new Malformed();
    return number;
  }

  #take(size) {
    if (this.at + size > this.data.length) throw new Malformed();
    this.at += size;
    return this.data.subarray(this.at - size, this.at);
  }

  uint(most) {
    const number = this.#expect(UINT);
    if (number > most) throw new Malformed();
    return number;
  }

  bytes(least = 0, most = Infinity) {
    const size = this.#expect(BYTES);
    if (size < least || size > most) throw new Malformed();
    return this.#take(size);
  }

  text() {
    return utf8OrMalformed(this.#take(this.#expect(TEXT)));
  }

  array() {
    return this.#expect(ARRAY);
  }

  map() {
    return this.#expect(MAP);
  }

  /** Exactly these bytes. */
  raw(...wanted) {
    for (const byte of wanted) if (this.data[this.at++] !== byte) throw new Malformed();
  }

  /** One byte out of some. */
  oneOf(...allowed) {
    const byte = this.data[this.at++];
    if (!allowed.includes(byte)) throw new Malformed();
    return byte;
  }

  end() {
    if (this.at !== this.data.length) throw new Malformed();
  }

  /** Any item of integers, byte strings, texts, arrays and maps; a map has each label once. */
  item(depth = 0) {
    if (depth > DEEPEST) throw new Malformed();
    const [major, number] = this.#head();
    if (major === UINT || major === NINT) {
      const value = major === UINT ? number : -1 - number;
      return Number.isSafeInteger(value) ? value : fail();
    }
    if (major === BYTES) return this.#take(number);
    if (major === TEXT) return utf8OrMalformed(this.#take(number));
    if (major === ARRAY) {
      const items = [];
      for (let i = 0; i < number; i++) items.push(this.item(depth + 1));
      return items;
    }
    if (major !== MAP) throw new Malformed(); // no tags, no floating-point numbers, no true, false or null
    const map = new Map();
    for (let i = 0; i < number; i++) {
      const label = this.item(depth + 1);
      if (!Number.isInteger(label) || map.has(label)) throw new Malformed();
      map.set(label, this.item(depth + 1));
    }
    return map;
  }
}

const fail = () => {
  throw new Malformed();
};

function utf8OrMalformed(bytes) {
  try {
    return fromUtf8(bytes);
  } catch {
    throw new Malformed();
  }
}

/** The head of a byte string of up to 2^32 - 1 bytes. */
export function bytesHead(size) {
  if (size < 24) return Uint8Array.of(0x40 | size);
  if (size < 2 ** 8) return Uint8Array.of(0x58, size);
  if (size < 2 ** 16) return Uint8Array.of(0x59, size >> 8, size & 255);
  return Uint8Array.of(0x5a, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255);
}
