// zlib (RFC 1950, RFC 1951), all at once and bounded. The browser's DecompressionStream is not used because engines
// differ in what they make of bytes behind the end, and a list with such bytes is refused.

const LENGTH_BASE = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const DISTANCE_BITS = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST_CODE = 15;

const fail = () => {
  throw new RangeError("not zlib, cut short, followed by something, or too long");
};

/** Inflate to at most so many bytes; a RangeError for everything that is not exactly one zlib stream. */
export function inflate(data, limit) {
  if (data.length < 6 || (data[0] & 15) !== 8 || data[0] >> 4 > 7 || (data[0] * 256 + data[1]) % 31 || data[1] & 32) {
    fail();
  }
  // The window that the header states bounds nothing (Spec 3.5): no code of a distance reaches beyond 32,768 bytes.
  const out = { bytes: new Uint8Array(Math.min(limit, 4 * data.length + 64)), size: 0 };
  let at = 2;
  let held = 0;
  let count = 0;

  const bits = (wanted) => {
    while (count < wanted) {
      if (at >= data.length) fail();
      held |= data[at++] << count;
      count += 8;
    }
    const value = held & ((1 << wanted) - 1);
    held >>>= wanted;
    count -= wanted;
    return value;
  };
  const put = (byte) => {
    if (out.size === limit) fail();
    if (out.size === out.bytes.length) {
      const larger = new Uint8Array(Math.min(limit, 2 * out.size));
      larger.set(out.bytes);
      out.bytes = larger;
    }
    out.bytes[out.size++] = byte;
  };
  const symbol = ({ counts, symbols }) => {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= LONGEST_CODE; length++) {
      code |= bits(1);
      if (code - first < counts[length]) return symbols[index + code - first];
      index += counts[length];
      first = (first + counts[length]) << 1;
      code <<= 1;
    }
    return fail();
  };
  const codes = (literals, distances) => {
    for (;;) {
      const found = symbol(literals);
      if (found === 256) return;
      if (found < 256) {
        put(found);
        continue;
      }
      if (found > 285) fail();
      const length = LENGTH_BASE[found - 257] + bits(LENGTH_BITS[found - 257]);
      const far = symbol(distances);
      if (far > 29) fail();
      const distance = DISTANCE_BASE[far] + bits(DISTANCE_BITS[far]);
      if (distance > out.size) fail();
      for (let i = 0; i < length; i++) put(out.bytes[out.size - distance]);
    }
  };

  let last;
  do {
    last = bits(1);
    const type = bits(2);
    if (type === 0) {
      held = count = 0; // stored bytes begin at a byte's boundary; at most 7 bits were held
      if (at + 4 > data.length) fail();
      const size = data[at] | (data[at + 1] << 8);
      if (size !== (~(data[at + 2] | (data[at + 3] << 8)) & 0xffff)) fail();
      at += 4;
      if (at + size > data.length) fail();
      for (let i = 0; i < size; i++) put(data[at++]);
    } else if (type === 1) {
      codes(FIXED_LITERALS, FIXED_DISTANCES);
    } else if (type === 2) {
      codes(...dynamic(bits, symbol));
    } else {
      fail();
    }
  } while (!last);

  const array = out.bytes.subarray(0, out.size);
  if (at + 4 !== data.length || adler32(array) !== new DataView(data.buffer, data.byteOffset + at, 4).getUint32(0)) fail();
  return array;
}

/** A Huffman code by the lengths of its codes; `incomplete` says whether it may lack codes (RFC 1951 section 3.2.7). */
function huffman(lengths, incomplete = false) {
  const counts = new Array(LONGEST_CODE + 1).fill(0);
  for (const length of lengths) counts[length]++;
  const used = lengths.length - counts[0];
  counts[0] = 0;
  let left = 1;
  const offsets = [0, 0];
  for (let length = 1; length <= LONGEST_CODE; length++) {
    left = left * 2 - counts[length];
    if (left < 0) fail();
    offsets[length + 1] = offsets[length] + counts[length];
  }
  // As zlib has it: only a code with a single symbol of one bit, or with none, may be incomplete.
  if (left > 0 && !(incomplete && (used === 0 || (used === 1 && counts[1] === 1)))) fail();
  const symbols = [];
  lengths.forEach((length, value) => {
    if (length) symbols[offsets[length]++] = value;
  });
  return { counts, symbols };
}

function dynamic(bits, symbol) {
  const literals = bits(5) + 257;
  const distances = bits(5) + 1;
  const ordered = bits(4) + 4;
  if (literals > 286 || distances > 30) fail();
  const lengths = new Array(19).fill(0);
  for (let i = 0; i < ordered; i++) lengths[CODE_ORDER[i]] = bits(3);
  const code = huffman(lengths);
  const all = [];
  while (all.length < literals + distances) {
    const found = symbol(code);
    if (found < 16) {
      all.push(found);
      continue;
    }
    if (found === 16 && all.length === 0) fail();
    const value = found === 16 ? all[all.length - 1] : 0;
    const repeat = found === 16 ? 3 + bits(2) : found === 17 ? 3 + bits(3) : 11 + bits(7);
    for (let i = 0; i < repeat; i++) all.push(value);
  }
  if (all.length > literals + distances || all[256] === 0) fail();
  return [huffman(all.slice(0, literals), true), huffman(all.slice(literals), true)];
}

const FIXED_LITERALS = huffman(
  Array.from({ length: 288 }, (_, value) => (value < 144 ? 8 : value < 256 ? 9 : value < 280 ? 7 : 8)),
);
const FIXED_DISTANCES = huffman(new Array(32).fill(5));

function adler32(bytes) {
  let low = 1;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  return high * 65536 + low;
}
