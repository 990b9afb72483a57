// What this package takes from @noble, loaded when it is first needed. It stands in a file of its own because a bundler
// leaves out what is not imported by name here, and keeps the whole of a module that is imported when needed.

export { weierstrass } from "@noble/curves/abstract/weierstrass.js";
export { sha256 } from "@noble/hashes/sha2.js";
