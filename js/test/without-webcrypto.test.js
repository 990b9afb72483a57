// A page that came over plain HTTP has no crypto.subtle: the same verdicts come from @noble/curves.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { outcomeOf } from "./outcome.js";

const read = (name) => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), "utf8")).cases;

test("signatures without WebCrypto", async (t) => {
  Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
  for (const stated of [...read("signature"), ...read("key"), ...read("sm2")]) {
    await t.test(stated.id, async () => assert.deepEqual(await outcomeOf(stated), stated.expect, stated.why));
  }
});
