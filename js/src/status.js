// Status lists: which passes are suspended or revoked (Spec 3.5).

import { fromHex, toHex, utf8 } from "./bytes.js";
import { Reader } from "./cbor.js";
import { copyOf, flag, kindOf, timeOf, whole, wholeSeconds } from "./checks.js";
import { Malformed, TokenError } from "./errors.js";
import { inflate } from "./inflate.js";
import { headerOf, signedBytes } from "./token.js";

const UINT32 = 2 ** 32 - 1;
const TYPE = utf8("application/statuslist+cwt");
const LARGEST = 1 << 27;

const unavailable = (reason) => {
  throw new TokenError("status.unavailable", reason);
};

/** A status list that was checked. Only `StatusList.read` makes one. */
export class StatusList {
  static #token = Symbol("made by read");
  #array;

  constructor(token, array, stated) {
    if (token !== StatusList.#token) throw new TypeError("a StatusList is made by StatusList.read");
    this.#array = array;
    Object.assign(this, stated);
    Object.freeze(this);
  }

  /**
   * Check a signed list. Its end is checked at each use, because a list is used long after this.
   *
   * @param {Uint8Array} data the list as published
   * @param {{keys: import("./ring.js").KeyRing, uri: string, now: number, skew?: number, maxEntries?: number}} options
   */
  static async read(data, { keys, uri, now, skew = 10, maxEntries = 1 << 24 }) {
    if (keys.use !== "status" && keys.entries.length) {
      throw new RangeError('a status list is read with keys for status lists ("yb_use": "status")');
    }
    timeOf(now);
    wholeSeconds("skew", skew, 0);
    whole("maxEntries", maxEntries, 1);
    const { header, payload, signature } = cut(copyOf("a status list", data));
    const entry = keys.entries.find((each) => toHex(listHeader(each)) === toHex(header));
    if (!entry) unavailable("it is no status list, or signed with a key that is not in the ring");
    if (!(await entry.verify(signedBytes(header, payload), signature))) unavailable("its signature is not good");
    const { compressed, ...stated } = walked(payload, readClaims);
    if (stated.issuedAt >= stated.expiresAt) unavailable("its end is not after its issue");
    let array;
    try {
      array = inflate(compressed, Math.floor((maxEntries * stated.bits) / 8));
    } catch (error) {
      if (error instanceof RangeError) unavailable(error.message);
      throw error;
    }
    if (!array.length) unavailable("it has no entry");
    if (stated.uri !== uri) unavailable("it is the list of another address");
    if (stated.issuedAt > now + skew) unavailable("it was issued in the future");
    if (!(entry.notBefore <= stated.issuedAt && stated.issuedAt < entry.notAfter)) {
      unavailable("its key was not in force when it was issued");
    }
    if (entry.withdrawnSince !== undefined && stated.issuedAt >= entry.withdrawnSince) {
      unavailable("its key was withdrawn before it was issued");
    }
    return new StatusList(StatusList.#token, array, { ...stated, size: (array.length * 8) / stated.bits });
  }

  /** The status of an index: 0 valid, 1 revoked, 2 suspended; undefined behind the end. */
  at(index) {
    const byte = this.#array[Math.floor((index * this.bits) / 8)];
    return byte === undefined ? undefined : (byte >> (index * this.bits) % 8) & ((1 << this.bits) - 1);
  }
}

const listHeader = ({ algorithm, kid }) => {
  const [, ...rest] = headerOf(algorithm, fromHex(kid));
  return Uint8Array.of(0xa3, ...rest, 0x10, 0x78, TYPE.length, ...TYPE);
};

function walked(data, walk) {
  const reader = new Reader(data);
  try {
    const found = walk(reader);
    reader.end();
    return found;
  } catch (error) {
    if (error instanceof Malformed) unavailable("it is not built as a status list");
    throw error;
  }
}

function cut(data) {
  if (data.length > LARGEST) unavailable("it is too long");
  return walked(data, (reader) => {
    reader.raw(0xd2, 0x84);
    const header = reader.bytes(24, 255);
    reader.raw(0xa0);
    return { header, payload: reader.bytes(24), signature: reader.bytes(64, 64) };
  });
}

function readClaims(reader) {
  reader.raw(0xa5, 2);
  const uri = reader.text();
  reader.raw(4);
  const expiresAt = reader.uint(UINT32);
  reader.raw(6);
  const issuedAt = reader.uint(UINT32);
  reader.raw(0x19, 0xff, 0xfd, 0xa2, 0x63, 0x6c, 0x73, 0x74); // 65533: {"lst":
  const compressed = reader.bytes();
  reader.raw(0x64, 0x62, 0x69, 0x74, 0x73); // "bits":
  const bits = reader.oneOf(1, 2, 4, 8);
  reader.raw(0x19, 0xff, 0xfe);
  const ttl = reader.uint(UINT32);
  if (ttl < 1) throw new Malformed();
  return { uri, expiresAt, issuedAt, compressed, bits, ttl };
}

/**
 * A policy that refuses what is suspended or revoked, and what cannot be checked.
 *
 * @param {StatusList | undefined | (() => StatusList | undefined)} list the newest good list, or what returns it
 * @param {{grace?: number, acceptUnlisted?: boolean}} options `grace`: for how many seconds past its end a list is
 *   still used, which the verdict then notes.
 */
export function statusPolicy(list, { grace = 0, acceptUnlisted = false } = {}) {
  wholeSeconds("grace", grace, 0);
  flag("acceptUnlisted", acceptUnlisted);
  return (voucher, now) => {
    const index = voucher.statusIndex;
    if (index === undefined) {
      if (voucher.profile === 1 || acceptUnlisted) return undefined;
      unavailable("the pass has no place in a status list");
    }
    const held = typeof list === "function" ? list(voucher) : list;
    if (held === undefined || held === null) unavailable("there is no list");
    kindOf("list", held, held instanceof StatusList, "a StatusList");
    const overdue = now - held.expiresAt;
    if (overdue >= grace) unavailable("the list is past its end");
    const status = held.at(index);
    if (status === undefined) unavailable("the list does not go so far");
    if (status === 2) throw new TokenError("status.suspended");
    if (status !== 0) throw new TokenError("status.invalid");
    return overdue >= 0 ? { code: "status.grace", overdue } : undefined;
  };
}
