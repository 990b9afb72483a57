// The JavaScript package as a program of the conformance kit: `node interop/javascript.mjs`; see vectors/README.md.

import { createInterface } from "node:readline";
import { CAPABILITIES, outcomeOf } from "../js/test/outcome.js";

console.log(JSON.stringify({ name: "ybtoken-verify", capabilities: CAPABILITIES }));
for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const asked = JSON.parse(line);
  try {
    console.log(JSON.stringify({ id: asked.id, outcome: await outcomeOf(asked) }));
  } catch (error) {
    console.log(JSON.stringify({ id: asked.id, error: String(error) }));
  }
}
