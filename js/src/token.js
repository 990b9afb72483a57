// Steps 2 and 5: the envelope, the presentation and the claims (Spec 2.2, 2.3, 3.3). Each has one encoding, so it is
// walked, and any other encoding is refused.

import { concat, toHex, utf8 } from "./bytes.js";
import { Reader, bytesHead } from "./cbor.js";
import { P256, SM2 } from "./curves.js";
import { Malformed, TokenError } from "./errors.js";

const UINT32 = 2 ** 32 - 1;
const SIGN1 = Uint8Array.of(0x84, 0x6a, ...utf8("Signature1"));

export const ALGORITHMS = { "-7": P256, "-9": P256, "-65537": SM2 };
const ALGORITHM_BYTES = { "-7": [0x26], "-9": [0x28], "-65537": [0x3a, 0, 1, 0, 0] };
const DEVICE_HEADERS = {
  [P256]: Uint8Array.of(0xa1, 1, 0x26),
  [SM2]: Uint8Array.of(0xa1, 1, 0x3a, 0, 1, 0, 0),
};

/** The protected header of a key's tokens. */
export const headerOf = (algorithm, kid) => Uint8Array.of(0xa2, 1, ...ALGORITHM_BYTES[algorithm], 4, 0x48, ...kid);

const KNOWN_STARTS = Object.keys(ALGORITHM_BYTES).map((algorithm) => toHex(headerOf(algorithm, [])));

/** The kid of a header of the format, in hex, or nothing if it is no such header. */
export function kidOf(header) {
  const hex = toHex(header);
  return KNOWN_STARTS.includes(hex.slice(0, -16)) ? hex.slice(-16) : undefined;
}

/** What a signature covers: the Sig_structure of RFC 9052 section 4.4. */
export const signedBytes = (header, payload) =>
  concat(SIGN1, bytesHead(header.length), header, Uint8Array.of(0x40), bytesHead(payload.length), payload);

/** Run a walk; malformed bytes are refused with this code. */
function walked(code, data, walk) {
  const reader = new Reader(data);
  try {
    const found = walk(reader);
    reader.end();
    return found;
  } catch (error) {
    if (error instanceof Malformed) throw new TokenError(code);
    throw error;
  }
}

/** Cut a token into its parts. */
export function cutToken(data) {
  return walked("envelope.shape", data, (reader) => {
    reader.raw(0xd2, 0x84);
    const header = reader.bytes(13, 17);
    if (header.length !== 13 && header.length !== 17) throw new Malformed();
    reader.raw(0xa0);
    const payload = reader.bytes(24, 255);
    return { header, payload, signature: reader.bytes(64, 64) };
  });
}

/** Cut what a phone signed into its parts. */
export function cutPresentation(data) {
  const cut = walked("envelope.shape", data, (reader) => {
    reader.raw(0xd2, 0x84);
    const header = reader.bytes(3, 7);
    const curve = [P256, SM2].find((each) => toHex(DEVICE_HEADERS[each]) === toHex(header));
    if (curve === undefined) throw new Malformed();
    reader.raw(0xa0);
    const payload = reader.bytes(24, 255);
    return { curve, signed: signedBytes(header, payload), payload, signature: reader.bytes(64, 64) };
  });
  return walked("envelope.shape", cut.payload, (reader) => {
    const items = reader.oneOf(0x83, 0x84);
    const token = reader.bytes(24, 255);
    const presentation = { issuedAt: reader.uint(UINT32), nonce: toHex(reader.bytes(8, 8)) };
    if (items === 0x84) presentation.challenge = toHex(reader.bytes(12, 12));
    return { ...cut, token, presentation };
  });
}

/** Read the claims under a good signature. */
export function parseClaims(payload) {
  return walked("claims.shape", payload, (reader) => {
    const labels = reader.oneOf(0xa4, 0xa5);
    reader.raw(4);
    const expiresAt = reader.uint(UINT32);
    reader.raw(6);
    const issuedAt = reader.uint(UINT32);
    if (expiresAt <= issuedAt) throw new Malformed();
    reader.raw(7);
    const claims = { issuedAt, expiresAt, nonce: toHex(reader.bytes(8, 16)) };
    if (labels === 0xa5) claims.deviceKey = readDeviceKey(reader);
    reader.raw(0x3a, 0, 1, 0, 0);
    const items = reader.oneOf(0x83, 0x84);
    claims.profile = reader.uint(3);
    if (claims.profile < 1 || (claims.profile === 3) !== (claims.deviceKey !== undefined)) throw new Malformed();
    claims.identityRef = toHex(reader.bytes(16, 16));
    claims.cityCode = String(reader.uint(999999)).padStart(6, "0");
    if (items === 0x84) readExtras(reader, claims);
    return claims;
  });
}

function readDeviceKey(reader) {
  reader.raw(8, 0xa1, 1, 0xa4, 1, 2, 0x20);
  const curve = reader.oneOf(0x01, 0x3a) === 1 ? P256 : SM2;
  if (curve === SM2) reader.raw(0, 1, 0, 0);
  reader.raw(0x21);
  const x = toHex(reader.bytes(32, 32));
  reader.raw(0x22);
  return { curve, x, yIsOdd: reader.oneOf(0xf4, 0xf5) === 0xf5 };
}

const EXTRAS = [
  (reader) => ["channel", reader.uint(65535)],
  (reader) => ["purpose", String(reader.uint(99999)).padStart(5, "0")],
  (reader) => ["presenter", toHex(reader.bytes(16, 16))],
  (reader) => ["assurance", reader.uint(255)],
  (reader) => ["statusIndex", reader.uint(UINT32)],
];

function readExtras(reader, claims) {
  const count = reader.map();
  if (count < 1) throw new Malformed();
  let previous = 0;
  for (let i = 0; i < count; i++) {
    const label = reader.uint(EXTRAS.length);
    if (label <= previous) throw new Malformed();
    previous = label;
    const [name, value] = EXTRAS[label - 1](reader);
    claims[name] = value;
  }
}
