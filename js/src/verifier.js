// The verifier: the order of the checks is its rule (Spec 4), and the numbers here are the spec's.

import { fromHex } from "./bytes.js";
import { kindOf, timeOf, wholeSeconds } from "./checks.js";
import { DEFAULT_USER_ID, verifierOf, yOf } from "./curves.js";
import { Challenge } from "./challenge.js";
import { TokenError } from "./errors.js";
import { judged } from "./policy.js";
import { KeyRing } from "./ring.js";
import { decodeText } from "./text.js";
import { cutPresentation, cutToken, kidOf, parseClaims, signedBytes } from "./token.js";

const CLAIM_KEPT = 240; // seconds for which a claim is kept after what is signed ends, whatever a verifier's numbers (ADR 0022)

/** Steps 1 to 5: what a text holds, under good signatures. Raises a TokenError. */
export async function open(keys, text) {
  // 1. text -> bytes
  const { profile, bytes, otp } = decodeText(text);
  // 2. envelope; what a phone signed first
  const shown = profile === 3 ? cutPresentation(bytes) : undefined;
  const { header, payload, signature } = cutToken(shown ? shown.token : bytes);
  // 3. key
  const entry = keys.byHeader(header);
  if (!entry) throw new TokenError(kidOf(header) === undefined ? "envelope.shape" : "key.unknown");
  // 4. signature
  if (!(await entry.verify(signedBytes(header, payload), signature))) throw new TokenError("signature.invalid");
  // 5. claims, of which nothing is read before this line
  const claims = parseClaims(payload);
  if (claims.profile !== profile) throw new TokenError("claims.profile");
  if (shown) await checkDisplay(shown, claims.deviceKey);
  return { entry, claims, otp: profile === 2 ? otp : undefined, presentation: shown?.presentation };
}

/** The phone's signature: first the header against the curve, then the point, then the signature. */
async function checkDisplay({ curve, signed, signature }, key) {
  if (curve !== key.curve) throw new TokenError("device.signature");
  const x = fromHex(key.x);
  const y = yOf(curve, x, key.yIsOdd);
  if (!y) throw new TokenError("claims.shape");
  if (!(await verifierOf(curve, x, y, DEFAULT_USER_ID)(signed, signature))) throw new TokenError("device.signature");
}

/** Verifies vouchers; immutable. It redeems nothing: the program that accepts a voucher must claim its `replayKey` once. */
export class Verifier {
  #keys;
  #policies;
  #bounds;
  #clock;

  /**
   * @param {KeyRing} keys the public keys that are trusted
   * @param {object} options see index.d.ts
   */
  constructor(keys, options = {}) {
    const {
      skew = 10, maxLifetime = 300, maxPassLifetime = 86400, maxDisplayAge = 60, policies = [],
      clock = () => Date.now() / 1000,
    } = options;
    if (!(keys instanceof KeyRing)) throw new TypeError("keys is a KeyRing");
    if (keys.use !== "tokens") throw new RangeError("these keys are for status lists and sign no tokens");
    this.#keys = keys;
    this.#policies = [...policies];
    for (const each of this.#policies) kindOf("a policy", each, typeof each === "function", "a function");
    this.#clock = clock;
    this.#bounds = {
      skew: wholeSeconds("skew", skew, 0),
      maxLifetime: wholeSeconds("maxLifetime", maxLifetime, 1),
      maxPassLifetime: wholeSeconds("maxPassLifetime", maxPassLifetime, 1),
      maxDisplayAge: wholeSeconds("maxDisplayAge", maxDisplayAge, 1),
    };
  }

  /**
   * Steps 1 to 8. Raises a TokenError if the token is refused.
   *
   * @param {string} text the one exact spelling; see `normalizeScan` for what a scanner returns
   * @param {{now?: number, challenge?: Challenge | "any"}} options
   */
  async verify(text, { now = Math.floor(this.#clock()), challenge } = {}) {
    timeOf(now);
    if (challenge !== undefined && challenge !== "any" && !(challenge instanceof Challenge)) {
      throw new TypeError('challenge is a Challenge, "any", or left out');
    }
    const { entry, claims, presentation } = await open(this.#keys, text);
    const { skew, maxLifetime, maxPassLifetime, maxDisplayAge } = this.#bounds;
    const { issuedAt, expiresAt, profile } = claims;
    // 6. time
    if (issuedAt > now + skew) throw new TokenError("time.future");
    if (now >= expiresAt + skew) throw new TokenError("time.expired");
    if (expiresAt - issuedAt > (profile === 1 ? maxLifetime : maxPassLifetime)) throw new TokenError("time.lifetime");
    if (profile === 2) throw new TokenError("otp.unavailable", "master keys are the platform's: verify online");
    let end = expiresAt;
    if (presentation) {
      if (presentation.issuedAt > now + skew) throw new TokenError("presentation.future");
      if (now >= presentation.issuedAt + maxDisplayAge + skew) throw new TokenError("presentation.expired");
      end = Math.min(end, presentation.issuedAt + maxDisplayAge);
    }
    // 7. issuer scope
    if (!(entry.notBefore <= issuedAt && issuedAt < entry.notAfter)) throw new TokenError("scope.period");
    if (entry.withdrawnSince !== undefined && issuedAt >= entry.withdrawnSince) throw new TokenError("scope.withdrawn");
    if (!entry.scope.covers(claims.cityCode)) throw new TokenError("scope.place");
    // 8. policy; the terminal's own challenge first
    if (challenge !== "any") await checkChallenge(challenge, presentation?.challenge);
    const voucher = {
      ...claims,
      kid: entry.kid,
      algorithm: entry.algorithm,
      issuer: entry.issuer,
      presentation,
      verifiedAt: now,
      // With greater numbers, by them: another clock may be behind the right time by the skew, and this one ahead of it.
      claimUntil: Math.max((presentation?.issuedAt ?? expiresAt) + CLAIM_KEPT, end + 3 * skew),
      replayKey: entry.kid + claims.nonce + (presentation?.nonce ?? ""),
    };
    voucher.notes = this.#policies.map((policy) => judged(policy, voucher, now)).filter((note) => note !== undefined);
    return Object.freeze(voucher);
  }
}

async function checkChallenge(asked, answer) {
  if (asked === undefined) {
    if (answer !== undefined) throw new TokenError("challenge.wrong");
  } else if (answer === undefined) {
    throw new TokenError("challenge.missing");
  } else if (answer !== (await asked.answer())) {
    throw new TokenError("challenge.wrong");
  }
}
