// Refusals: every bad token, list or challenge raises a TokenError with a stable code (Spec 8).

const STEPS = {
  text: 1, envelope: 2, key: 3, signature: 4, device: 4, claims: 5, time: 6, presentation: 6, otp: 6, scope: 7,
  policy: 8, status: 8, challenge: 8, redeem: 9,
};

/** A token is refused. `code` is stable (Spec 8), and `step` is the step of verification that refused it. */
export class TokenError extends Error {
  constructor(code, reason = "") {
    super(reason ? `${code}: ${reason}` : code);
    this.name = "TokenError";
    this.code = code;
    this.step = STEPS[code.split(".")[0]];
  }
}

/** Thrown while malformed bytes are walked; callers turn it into the refusal of their step. */
export class Malformed extends Error {}
