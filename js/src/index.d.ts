/** Byte strings are lower-case hex, so that they can be compared, logged and stored. Times are seconds since 1970. */

/** A token is refused. `code` is stable; see the table of refusals in the specification of the format. */
export class TokenError extends Error {
  readonly code: string;
  /** The step of verification that refused, 1 to 9. */
  readonly step: number;
}

export type Curve = 1 | -65537;
export type Algorithm = -7 | -9 | -65537;

export class Scope {
  /** Prefixes of city codes, 2, 4 or 6 digits; none at all means the whole country. */
  constructor(prefixes?: readonly string[], exclusions?: readonly string[]);
  readonly prefixes: readonly string[];
  readonly exclusions: readonly string[];
  covers(cityCode: string): boolean;
}

/** A public key, and what its issuer may do with it. */
export interface KeyEntry {
  readonly kid: string;
  readonly curve: Curve;
  readonly algorithm: Algorithm;
  readonly issuer: string;
  readonly scope: Scope;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly withdrawnSince?: number;
  /** SM2 keys only. */
  readonly userId?: string;
  readonly use: "tokens" | "status";
  readonly statusUri?: string;
  verify(message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** The public keys that are trusted: immutable. */
export class KeyRing {
  private constructor();
  /** Read the text of a JWK Set, a string or bytes in UTF-8; a `RangeError` says what is malformed. */
  static fromJwks(document: string | Uint8Array): Promise<KeyRing>;
  /** Read the bytes of a COSE_KeySet; a `RangeError` says what is malformed. */
  static fromCoseKeySet(document: Uint8Array): Promise<KeyRing>;
  readonly entries: readonly KeyEntry[];
  readonly use: "tokens" | "status";
  /** Which edition of the ring this is: a later one has a greater number; 0 if it states none. */
  readonly version: number;
}

/** What a token states, under its issuer's good signature. */
export interface Claims {
  readonly profile: 1 | 2 | 3;
  readonly identityRef: string;
  /** Six digits. */
  readonly cityCode: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly nonce: string;
  readonly channel?: number;
  /** Five digits. */
  readonly purpose?: string;
  readonly presenter?: string;
  readonly assurance?: number;
  readonly statusIndex?: number;
  /** Profile 3. */
  readonly deviceKey?: { readonly curve: Curve; readonly x: string; readonly yIsOdd: boolean };
}

/** What a phone signed at a display (profile 3). */
export interface Presentation {
  readonly issuedAt: number;
  readonly nonce: string;
  /** The answer to a challenge. */
  readonly challenge?: string;
}

export interface Note {
  readonly code: string;
  readonly [fact: string]: unknown;
}

/** A voucher that was verified at `verifiedAt`, by steps 1 to 8. */
export interface VerifiedVoucher extends Claims {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly issuer: string;
  readonly presentation?: Presentation;
  readonly verifiedAt: number;
  /** What is to be claimed once when this display is redeemed. */
  readonly replayKey: string;
  /** How long that claim has to be kept, by this clock. */
  readonly claimUntil: number;
  readonly notes: readonly Note[];
}

/**
 * Throws a `TokenError` to refuse; may return a note, which the verified voucher then has. It is not async: whatever else it
 * returns is a `TypeError`.
 */
export type Policy = (voucher: VerifiedVoucher, now: number) => Note | void | undefined;

export interface VerifierOptions {
  /** By how many seconds the clocks of issuer and verifier may differ, either way; 10. */
  skew?: number;
  /** Refuse vouchers (profile 1) that are valid for more seconds than this; 300. */
  maxLifetime?: number;
  /** The same for passes; 86,400. */
  maxPassLifetime?: number;
  /** For how many seconds what a phone signed is accepted; 60. */
  maxDisplayAge?: number;
  /** What is insisted on beyond the format; all must agree, and the first that does not is reported. */
  policies?: Iterable<Policy>;
  /** Seconds since 1970; the machine's clock. */
  clock?: () => number;
}

export class Verifier {
  constructor(keys: KeyRing, options?: VerifierOptions);
  /** Steps 1 to 8; rejects with a `TokenError` if the token is refused. */
  verify(text: string, options?: { now?: number; challenge?: Challenge | "any" }): Promise<VerifiedVoucher>;
}

/** The outcome of steps 1 to 5: what a text holds under good signatures, before time, scope and policies are checked. */
export function open(keys: KeyRing, text: string): Promise<{
  readonly entry: KeyEntry;
  readonly claims: Claims;
  /** The one-time code of profile 2, which only the platform can check. */
  readonly otp?: string;
  readonly presentation?: Presentation;
}>;

/** What a terminal asks a phone to answer; made anew for every customer. */
export class Challenge {
  constructor(stated: { terminal: string; purpose: string; nonce?: string });
  /** Read what a terminal shows; a `RangeError` if it is no challenge. */
  static fromText(text: string): Challenge;
  readonly terminal: string;
  readonly purpose: string;
  readonly nonce: string;
  /** What the terminal shows: digits. */
  readonly text: string;
  /** What the phone signs. */
  answer(): Promise<string>;
}

/** A status list that was checked. */
export class StatusList {
  private constructor();
  /** Check a signed list; rejects with the `TokenError` `status.unavailable`. */
  static read(
    data: Uint8Array,
    options: { keys: KeyRing; uri: string; now: number; skew?: number; maxEntries?: number },
  ): Promise<StatusList>;
  readonly uri: string;
  readonly bits: 1 | 2 | 4 | 8;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly ttl: number;
  readonly size: number;
  /** 0 valid, 1 revoked, 2 suspended, others have no meaning here; undefined behind the end. */
  at(index: number): number | undefined;
}

/** Refuse what is suspended or revoked, and what cannot be checked. */
export function statusPolicy(
  list: StatusList | undefined | ((voucher: VerifiedVoucher) => StatusList | undefined),
  options?: { grace?: number; acceptUnlisted?: boolean },
): Policy;

export function insuredPlace(prefixes: readonly string[], exclusions?: readonly string[]): Policy;
export function purpose(accept: readonly string[], options?: { acceptUnstated?: boolean }): Policy;
export function channel(accept: readonly number[], options?: { acceptUnstated?: boolean }): Policy;
export function acceptedProfiles(...profiles: (1 | 2 | 3)[]): Policy;
export function holderOnly(): Policy;
export function minimumAssurance(level: number): Policy;
export function maximumAge(seconds: number): Policy;
export function anyOf(...policies: [Policy, ...Policy[]]): Policy;

/** Take away what scanners add to a text, and nothing else. */
export function normalizeScan(scanned: string): string;
