// Misuse is a TypeError or a RangeError, never a TokenError.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { deflateSync } from "node:zlib";

import * as yb from "../src/index.js";
import { inflate } from "../src/inflate.js";

const casesOf = (family) =>
  JSON.parse(readFileSync(new URL(`../../vectors/${family}.json`, import.meta.url), "utf8")).cases;
const caseOf = (id) => casesOf(id.split("/")[0]).find((each) => each.id === id);
const good = caseOf("text/accept");
const ring = () => yb.KeyRing.fromJwks(JSON.stringify(good.jwks));

test("a verifier says what it was not given", async () => {
  assert.throws(() => new yb.Verifier({}), TypeError);
  const keys = await ring();
  assert.throws(() => new yb.Verifier(keys, { skew: -1 }), /skew is at least 0 seconds/);
  assert.throws(() => new yb.Verifier(keys, { maxLifetime: 1.5 }), RangeError);
  const verifier = new yb.Verifier(keys);
  await assert.rejects(verifier.verify(12), TypeError);
  await assert.rejects(verifier.verify(good.text, { now: 1.5 }), /whole seconds/);
  await assert.rejects(verifier.verify(good.text, { now: good.now * 1000 }), /milliseconds/);
  assert.throws(() => new yb.Verifier(keys, { policies: [undefined] }), TypeError);
  await assert.rejects(verifier.verify(good.text, { challenge: "95" }), /a Challenge/);
  await assert.rejects(yb.KeyRing.fromJwks(good.jwks), TypeError);
});

test("a verified voucher says what to claim, and is frozen", async () => {
  const voucher = await new yb.Verifier(await ring()).verify(good.text, { now: good.now });
  assert.equal(voucher.replayKey, voucher.kid + voucher.nonce);
  assert.equal(voucher.claimUntil, voucher.expiresAt + 240);
  const wide = await new yb.Verifier(await ring(), { skew: 81 }).verify(good.text, { now: good.now });
  assert.equal(wide.claimUntil, wide.expiresAt + 3 * 81);
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

test("a policy without its bound is no policy", () => {
  for (const seconds of [undefined, null, NaN, "-1s", "30", 0.5, -1, Infinity]) {
    assert.throws(() => yb.maximumAge(seconds), RangeError);
  }
  for (const level of [undefined, null, NaN, "", -1, 1.5, 256]) assert.throws(() => yb.minimumAssurance(level), RangeError);
  for (const prefixes of [undefined, null, "33"]) assert.throws(() => yb.insuredPlace(prefixes), TypeError);
  for (const grace of [NaN, "soon", null, -1]) assert.throws(() => yb.statusPolicy(undefined, { grace }), RangeError);
  for (const make of [yb.purpose, yb.channel]) {
    assert.throws(() => make(undefined), TypeError);
    assert.throws(() => make([], { acceptUnstated: "no" }), TypeError);
  }
});

test("what a policy returns is a note or nothing, so that no refusal is lost", async () => {
  const refuses = async () => {
    throw new yb.TokenError("policy.place");
  };
  const keys = await ring();
  for (const policy of [refuses, yb.anyOf(refuses), () => false, () => null, () => "policy.place"]) {
    const verifier = new yb.Verifier(keys, { policies: [policy] });
    await assert.rejects(verifier.verify(good.text, { now: good.now }), TypeError);
  }
});

test("a status list is read with a time and bounds, and not from bytes that change meanwhile", async () => {
  const { list, jwks, uri, now, expect } = caseOf("statuslist/accept");
  const bytes = new Uint8Array(Buffer.from(list, "hex"));
  const keys = await yb.KeyRing.fromJwks(JSON.stringify(jwks));
  const read = (options) => yb.StatusList.read(bytes, { keys, uri, now, ...options });
  for (const at of [undefined, NaN, "0", 0.5]) await assert.rejects(read({ now: at }), TypeError);
  await assert.rejects(read({ now: now * 1000 }), /milliseconds/);
  for (const skew of [NaN, -1, "10"]) await assert.rejects(read({ skew }), RangeError);
  for (const maxEntries of [NaN, 0, Infinity]) await assert.rejects(read({ maxEntries }), RangeError);
  await assert.rejects(yb.StatusList.read(list, { keys, uri, now }), TypeError);

  const reading = read({});
  bytes.fill(0, bytes.length - 100);
  assert.equal((await reading).at(1), expect["1"]);
});

test("a status policy takes a StatusList, or says that there is none", async () => {
  const suspended = caseOf("status/suspended");
  const keys = await yb.KeyRing.fromJwks(JSON.stringify(suspended.jwks));
  const verify = (list) =>
    new yb.Verifier(keys, { policies: [yb.statusPolicy(list)] }).verify(suspended.text, { now: suspended.now });
  for (const none of [undefined, null, () => undefined]) await assert.rejects(verify(none), { code: "status.unavailable" });
  const alike = { expiresAt: 2 ** 32 - 1, at: () => 0 };
  for (const other of [alike, () => alike, async () => undefined]) await assert.rejects(verify(other), TypeError);
});

test("a ring keeps its keys when the bytes it was read from change", async () => {
  const { keyset, text, skew, now, max_lifetime: maxLifetime, expect } = casesOf("keyset").find(
    ({ text, expect }) => text && expect.claims,
  );
  const bytes = Buffer.from(keyset, "hex"); // its slice is a view
  const keys = await yb.KeyRing.fromCoseKeySet(bytes);
  bytes.fill(0);
  const { kid } = await new yb.Verifier(keys, { skew, maxLifetime }).verify(text, { now });
  assert.equal(kid, expect.claims.kid);
  await assert.rejects(yb.KeyRing.fromCoseKeySet(keyset), TypeError);
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
          // The window that the header states bounds nothing, as in zlib itself.
          assert.deepEqual(inflate(Uint8Array.of(0x08, 0x1d, ...packed.subarray(2)), size), bytes);
          assert.throws(() => inflate(packed, size - 1), RangeError);
          assert.throws(() => inflate(packed.subarray(0, -1), size), RangeError);
          assert.throws(() => inflate(Uint8Array.of(...packed.slice(0, 100_000), 0), size), RangeError);
        }
      }
    }
  }
});
