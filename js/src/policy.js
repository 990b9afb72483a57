// Step 8: what a verifier insists on (Spec 4.1). A policy is a function of a voucher and the time that throws a
// TokenError to refuse; it may return a note.

import { arrayOf, flag, whole, wholeSeconds } from "./checks.js";
import { TokenError } from "./errors.js";
import { Scope } from "./scope.js";

const refuseIf = (condition, code) => {
  if (condition) throw new TokenError(code);
};

/** What a policy says of a voucher: its note, or nothing. A refusal that is returned or comes later would be lost. */
export function judged(policy, voucher, now) {
  const note = policy(voucher, now);
  if (note === undefined || typeof note?.code === "string") return note;
  Promise.resolve(note).catch(() => {}); // the TypeError says it
  throw new TypeError("a policy throws a TokenError to refuse, returns a note with a code or nothing, and is not async");
}

/** Accept only holders who are insured in these places. */
export function insuredPlace(prefixes, exclusions = []) {
  const scope = new Scope(arrayOf("prefixes", prefixes), exclusions);
  return (voucher) => refuseIf(!scope.covers(voucher.cityCode), "policy.place");
}

const stated = (member, code, accept, acceptUnstated) => {
  const accepted = new Set(arrayOf("accept", accept));
  flag("acceptUnstated", acceptUnstated);
  return (voucher) =>
    refuseIf(voucher[member] === undefined ? !acceptUnstated : !accepted.has(voucher[member]), code);
};

/** Accept only codes that were shown for one of these business types, five digits each. */
export const purpose = (accept, { acceptUnstated = false } = {}) =>
  stated("purpose", "policy.purpose", accept, acceptUnstated);

/** Accept only codes that were shown through one of these channels. */
export const channel = (accept, { acceptUnstated = false } = {}) =>
  stated("channel", "policy.channel", accept, acceptUnstated);

/** Accept only these profiles. */
export const acceptedProfiles = (...profiles) => {
  const accepted = new Set(profiles);
  return (voucher) => refuseIf(!accepted.has(voucher.profile), "policy.profile");
};

/** Accept only codes that their holder shows. */
export const holderOnly = () => (voucher) => refuseIf(voucher.presenter !== undefined, "policy.presenter");

/** Accept only holders who were authenticated at least this strongly; not stated is weaker than everything. */
export const minimumAssurance = (level) => {
  whole("level", level, 0, 255);
  return (voucher) => refuseIf(!(voucher.assurance >= level), "policy.assurance");
};

/** Accept only codes that were issued at most this many seconds ago. */
export const maximumAge = (seconds) => {
  wholeSeconds("seconds", seconds, 0);
  return (voucher, now) => refuseIf(now - voucher.issuedAt > seconds, "policy.age");
};

/** Accept what at least one of several policies accepts; the last one's refusal is reported. */
export function anyOf(...policies) {
  if (!policies.length) throw new RangeError("anyOf takes at least one policy");
  return (voucher, now) => {
    let refused;
    for (const policy of policies) {
      try {
        return judged(policy, voucher, now);
      } catch (error) {
        if (!(error instanceof TokenError)) throw error;
        refused = error;
      }
    }
    throw refused;
  };
}
