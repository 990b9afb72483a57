// Every case of ../vectors that this package has the capabilities for.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import { CAPABILITIES, outcomeOf } from "./outcome.js";

const VECTORS = new URL("../../vectors/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, VECTORS), "utf8"));
const { needs: NEEDS, files: FILES } = read("manifest.json");

const wanted = ({ expect, redeems }) => (redeems ? redeems.map((each) => each.expect) : expect);

for (const name of readdirSync(VECTORS).filter((each) => each in FILES && FILES[each].cases)) {
  test(name, async (t) => {
    const { family, cases } = read(name);
    for (const stated of cases) {
      if (!NEEDS[stated.id].every((capability) => CAPABILITIES.includes(capability))) continue;
      await t.test(stated.id, async () => {
        const asked = { ...stated, family, indexes: Object.keys(stated.expect ?? {}) };
        assert.deepEqual(await outcomeOf(asked), wanted(stated), stated.why);
      });
    }
  });
}
