// A terminal's challenge: what a phone answers, so that a code relayed to another terminal fails (Spec 3.4).

import { concat, fromHex, toHex, utf8 } from "./bytes.js";
import { sha256 } from "./curves.js";
import { TokenError } from "./errors.js";
import { CHALLENGE_PREFIX, decodeText, encodeText } from "./text.js";

/** What a terminal asks a phone to answer; made anew for every customer. */
export class Challenge {
  #data;

  /** @param {{terminal: string, purpose: string, nonce?: string}} stated the nonce is 8 bytes in hex */
  constructor({ terminal, purpose, nonce = freshNonce() }) {
    if (typeof terminal !== "string" || !/^[A-Za-z0-9._-]{1,32}$/.test(terminal)) {
      throw new RangeError("a terminal is named by 1 to 32 of A-Z a-z 0-9 . _ -");
    }
    if (typeof purpose !== "string" || !/^[0-9]{5}$/.test(purpose)) throw new RangeError("a purpose is five digits");
    if (typeof nonce !== "string" || !/^[0-9a-f]{16}$/.test(nonce)) throw new RangeError("a nonce is 8 bytes in hex");
    Object.assign(this, { terminal, purpose, nonce });
    const number = Number(purpose);
    this.#data = concat([number >> 16, (number >> 8) & 255, number & 255], fromHex(nonce), utf8(terminal));
    Object.freeze(this);
  }

  /** Read what a terminal shows. Raises a RangeError if it is no challenge. */
  static fromText(text) {
    let bytes;
    try {
      ({ bytes } = decodeText(text, true));
    } catch (error) {
      if (error instanceof TokenError) throw new RangeError(`not a terminal's challenge (${error.code})`);
      throw error;
    }
    if (bytes.length < 12) throw new RangeError("not a terminal's challenge");
    const number = (bytes[0] << 16) | (bytes[1] << 8) | bytes[2];
    const terminal = String.fromCharCode(...bytes.subarray(11));
    return new Challenge({ terminal, purpose: String(number).padStart(5, "0"), nonce: toHex(bytes.subarray(3, 11)) });
  }

  /** What the terminal shows: digits, under the prefix 95. */
  get text() {
    return encodeText(CHALLENGE_PREFIX, this.#data);
  }

  /** What the phone signs, 12 bytes in hex. */
  async answer() {
    return toHex((await sha256(concat(utf8("ybtoken challenge"), this.#data))).subarray(0, 12));
  }
}

const freshNonce = () => toHex(globalThis.crypto.getRandomValues(new Uint8Array(8)));
