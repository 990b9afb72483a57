// ybtoken-verify: a verifier of ybtoken's format 1 for browsers and Node.

export { TokenError } from "./errors.js";
export { KeyRing } from "./ring.js";
export { Scope } from "./scope.js";
export { Verifier, open } from "./verifier.js";
export { Challenge } from "./challenge.js";
export { StatusList, statusPolicy } from "./status.js";
export {
  acceptedProfiles, anyOf, channel, holderOnly, insuredPlace, maximumAge, minimumAssurance, purpose,
} from "./policy.js";
export { normalizeScan } from "./text.js";
