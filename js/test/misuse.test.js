// Misuse is a TypeError or a RangeError, never a TokenError.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { deflateSync } from "node:zlib";

import * as yb from "../src/index.js";
import { inflate } from "../src/inflate.js";

const { cases } = JSON.parse(readFileSync(new URL("../../vectors/text.json", import.meta.url), "utf8"));
const [good] = cases.filter(({ id }) => id === "text/accept");
const ring = () => yb.KeyRing.fromJwks(JSON.stringify(good.jwks));

test("a verifier says what it was not given", async () => {
  assert.throws(() => new yb.Verifier({}), TypeError);
  const keys = await ring();
  assert.throws(() => new yb.Verifier(keys, { skew: -1 }), /skew is at least 0 seconds/);
  assert.throws(() => new yb.Verifier(keys, { maxLifetime: 1.5 }), RangeError);
  const verifier = new yb.Verifier(keys);
  await assert.rejects(verifier.verify(12), TypeError);
  await assert.rejects(verifier.verify(good.text, { now: 1.5 }), /whole seconds/);
  await assert.rejects(verifier.verify(good.text, { challenge: "95" }), /a Challenge/);
  await assert.rejects(yb.KeyRing.fromJwks(good.jwks), TypeError);
});

test("a verified voucher says what to claim, and is frozen", async () => {
  const voucher = await new yb.Verifier(await ring()).verify(good.text, { now: good.now });
  assert.equal(voucher.replayKey, voucher.kid + voucher.nonce);
  assert.equal(voucher.claimUntil, voucher.expiresAt + 30);
  assert.throws(() => {
    voucher.cityCode = "110000";
  }, TypeError);
});

test("policies are judged in order, and a note is kept", async () => {
  const note = { code: "test.note" };
  const verifier = new yb.Verifier(await ring(), { policies: [() => note, yb.anyOf(yb.channel([1]), yb.holderOnly())] });
  assert.deepEqual((await verifier.verify(good.text, { now: good.now })).notes, [note]);
  assert.throws(() => yb.anyOf(), RangeError);
});

test("a challenge has a nonce of its own, and comes back from its text", async () => {
  const [one, other] = [0, 1].map(() => new yb.Challenge({ terminal: "H33010600123", purpose: "01301" }));
  assert.notEqual(one.nonce, other.nonce);
  assert.deepEqual({ ...yb.Challenge.fromText(one.text) }, { ...one });
  assert.throws(() => new yb.Challenge({ terminal: "", purpose: "01301" }), RangeError);
  assert.throws(() => new yb.Challenge({ terminal: "a", purpose: "1301" }), RangeError);
});

test("what zlib makes of bytes comes back, and nothing else is taken", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647);
  for (const size of [1, 2, 300, 70_000]) {
    for (const values of [1, 4, 256]) {
      const bytes = Uint8Array.from({ length: size }, () => random() % values);
      for (const level of [0, 1, 6, 9]) {
        for (const windowBits of [9, 15]) {
          const packed = new Uint8Array(deflateSync(bytes, { level, windowBits }));
          assert.deepEqual(inflate(packed, size), bytes);
          assert.throws(() => inflate(packed, size - 1), RangeError);
          assert.throws(() => inflate(packed.subarray(0, -1), size), RangeError);
          assert.throws(() => inflate(Uint8Array.of(...packed.slice(0, 100_000), 0), size), RangeError);
        }
      }
    }
  }
});
