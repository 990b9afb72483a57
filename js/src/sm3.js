// SM3 (GB/T 32905-2016), for SM2 signatures.

const rotl = (word, bits) => (word << (bits & 31)) | (word >>> (-bits & 31));
const p0 = (word) => word ^ rotl(word, 9) ^ rotl(word, 17);
const p1 = (word) => word ^ rotl(word, 15) ^ rotl(word, 23);

/** The hash of some bytes, 32 bytes. */
export function sm3(data) {
  const padded = new Uint8Array(((data.length + 8) >> 6 << 6) + 64);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, 8n * BigInt(data.length));
  const state = Int32Array.of(
    0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
  );
  const w = new Int32Array(68);
  for (let at = 0; at < padded.length; at += 64) {
    for (let j = 0; j < 16; j++) w[j] = view.getInt32(at + 4 * j);
    for (let j = 16; j < 68; j++) {
      w[j] = p1(w[j - 16] ^ w[j - 9] ^ rotl(w[j - 3], 15)) ^ rotl(w[j - 13], 7) ^ w[j - 6];
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let j = 0; j < 64; j++) {
      const early = j < 16;
      const ss1 = rotl((rotl(a, 12) + e + rotl(early ? 0x79cc4519 : 0x7a879d8a, j)) | 0, 7);
      const ss2 = ss1 ^ rotl(a, 12);
      const tt1 = ((early ? a ^ b ^ c : (a & b) | (a & c) | (b & c)) + d + ss2 + (w[j] ^ w[j + 4])) | 0;
      const tt2 = ((early ? e ^ f ^ g : (e & f) | (~e & g)) + h + ss1 + w[j]) | 0;
      [a, b, c, d, e, f, g, h] = [tt1, a, rotl(b, 9), c, p0(tt2), e, rotl(f, 19), g];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] ^= word));
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setInt32(4 * i, word));
  return new Uint8Array(digest.buffer);
}
