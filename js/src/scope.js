// Places: prefixes of city codes, less some exceptions (Spec 5).

import { arrayOf } from "./checks.js";

/** The insured places that a key may sign for, or a terminal accepts. */
export class Scope {
  constructor(prefixes = [], exclusions = []) {
    for (const prefix of [...arrayOf("prefixes", prefixes), ...arrayOf("exclusions", exclusions)]) {
      if (typeof prefix !== "string" || !/^(?:[0-9]{2}){1,3}$/.test(prefix)) {
        throw new RangeError("a prefix of city codes is a string of 2, 4 or 6 digits");
      }
    }
    this.prefixes = Object.freeze([...prefixes]);
    this.exclusions = Object.freeze([...exclusions]);
    Object.freeze(this);
    if (!this.#leavesSomething()) throw new RangeError("the exceptions leave nothing of the scope");
  }

  covers(cityCode) {
    const begins = (prefix) => cityCode.startsWith(prefix);
    return (this.prefixes.length === 0 || this.prefixes.some(begins)) && !this.exclusions.some(begins);
  }

  #leavesSomething() {
    if (this.exclusions.length === 0) return true;
    const out = new Set(this.exclusions);
    const left = (prefix) => {
      if (out.has(prefix)) return false;
      if (![...out].some((each) => each.startsWith(prefix))) return true;
      for (let next = 0; next < 100; next++) if (left(prefix + String(next).padStart(2, "0"))) return true;
      return false;
    };
    const free = (prefix) => ![prefix.slice(0, 2), prefix.slice(0, 4)].some((each) => out.has(each)) && left(prefix);
    return this.prefixes.length ? this.prefixes.some(free) : left("");
  }
}
