// What this package makes of a case of the test vectors, in the words of the vectors. Runs in Node and in browsers.

import * as yb from "../src/index.js";
import { fromHex } from "../src/bytes.js";

/** What this package can check: the tags of vectors/manifest.json. */
export const CAPABILITIES = [
  "ES256", "SM2", "profile-3", "policy", "status", "ring", "keyset", "redeem", "challenge", "scan", "late",
];

const text = (jwks) => JSON.stringify(jwks);

/** The outcome of a case; the vectors' README says what it is for each family. */
export async function outcomeOf(asked) {
  if ("scanned" in asked) return { text: yb.normalizeScan(asked.scanned) };
  if ("list" in asked) return refusedAs(null, "TokenError", () => statusList(asked));
  if ("redeems" in asked) return redeems(asked);
  if (asked.family === "challenge") return refusedAs(null, "RangeError", () => challenge(asked));
  if (!("text" in asked)) return refusedAs({ ring: "refused" }, "RangeError", () => ring(asked));
  return verdict(await verifierOf(asked), asked, asked.now);
}

async function refusedAs(outcome, name, attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (error.name !== name) throw error;
    return outcome;
  }
}

async function ring(asked) {
  if ("keyset" in asked) {
    return { entries: (await yb.KeyRing.fromCoseKeySet(fromHex(asked.keyset))).entries.map(entry) };
  }
  const document = "document" in asked ? fromHex(asked.document) : text(asked.jwks);
  return { kids: (await yb.KeyRing.fromJwks(document)).entries.map(({ kid }) => kid) };
}

function entry(each) {
  const stated = {
    kid: each.kid,
    algorithm: each.algorithm,
    issuer: each.issuer,
    scope: [...each.scope.prefixes],
    except: [...each.scope.exclusions],
    not_before: each.notBefore,
    not_after: each.notAfter,
    use: each.use,
  };
  if (each.withdrawnSince !== undefined) stated.withdrawn_since = each.withdrawnSince;
  if (each.userId !== undefined) stated.user_id = each.userId;
  if (each.statusUri !== undefined) stated.status_uri = each.statusUri;
  return stated;
}

async function challenge(asked) {
  const found = yb.Challenge.fromText(asked.text);
  if (found.text !== asked.text) throw new Error("the challenge is spelled in another way");
  return { terminal: found.terminal, purpose: found.purpose, nonce: found.nonce, answer: await found.answer() };
}

async function statusList(asked) {
  const list = await yb.StatusList.read(fromHex(asked.list), {
    keys: await yb.KeyRing.fromJwks(text(asked.jwks)),
    uri: asked.uri,
    now: asked.now,
    skew: asked.skew,
    maxEntries: asked.max_entries,
  });
  return Object.fromEntries(asked.indexes.map((index) => [index, list.at(Number(index)) ?? null]));
}

async function verifierOf(asked) {
  const keys = await ("keyset" in asked
    ? yb.KeyRing.fromCoseKeySet(fromHex(asked.keyset))
    : yb.KeyRing.fromJwks(text(asked.jwks)));
  return new yb.Verifier(keys, {
    skew: asked.skew,
    maxLifetime: asked.max_lifetime,
    ...(asked.max_pass_lifetime && { maxPassLifetime: asked.max_pass_lifetime }),
    ...(asked.max_display_age && { maxDisplayAge: asked.max_display_age }),
    policies: await Promise.all((asked.policies ?? []).map(policyOf)),
  });
}

async function policyOf(stated) {
  switch (stated.policy) {
    case "insured_place":
      return yb.insuredPlace(stated.prefixes, stated.exclusions);
    case "purpose":
      return yb.purpose(stated.accept, { acceptUnstated: stated.accept_unstated });
    case "channel":
      return yb.channel(stated.accept, { acceptUnstated: stated.accept_unstated });
    case "minimum_assurance":
      return yb.minimumAssurance(stated.level);
    case "maximum_age":
      return yb.maximumAge(stated.seconds);
    case "profiles":
      return yb.acceptedProfiles(...stated.accept);
    case "holder_only":
      return yb.holderOnly();
    case "any_of":
      return yb.anyOf(...(await Promise.all(stated.policies.map(policyOf))));
    case "status":
      return statusOf(stated);
    default:
      throw new Error(`no such policy: ${stated.policy}`);
  }
}

async function statusOf(stated) {
  const keys = await yb.KeyRing.fromJwks(text(stated.jwks));
  let held;
  for (const { list, at } of stated.lists) {
    try {
      const read = await yb.StatusList.read(fromHex(list), { keys, uri: stated.uri, now: at });
      if (!held || read.issuedAt > held.issuedAt) held = read;
    } catch (error) {
      if (!(error instanceof yb.TokenError)) throw error;
    }
  }
  return yb.statusPolicy(held, { grace: stated.grace, acceptUnlisted: stated.accept_unlisted });
}

async function verdict(verifier, asked, now, claim = () => {}) {
  const answered = asked.challenge;
  const challenged = answered === undefined || answered === "any" ? answered : yb.Challenge.fromText(answered);
  try {
    const voucher = await verifier.verify(asked.text, { now, challenge: challenged });
    claim(voucher);
    return { claims: claims(voucher) };
  } catch (error) {
    if (!(error instanceof yb.TokenError)) throw error;
    return { step: error.step, code: error.code };
  }
}

async function redeems(asked) {
  const verifier = await verifierOf(asked);
  const claimed = new Set();
  const outcomes = [];
  for (const each of asked.redeems) {
    outcomes.push(
      await verdict(verifier, { ...asked, ...each }, each.now, ({ replayKey, expiresAt, presentation }) => {
        const end = presentation ? Math.min(expiresAt, presentation.issuedAt + asked.max_display_age) : expiresAt;
        if ((each.claimed_at ?? each.now) >= end + asked.skew) throw new yb.TokenError("redeem.clock");
        if (claimed.has(replayKey)) throw new yb.TokenError("redeem.replayed");
        claimed.add(replayKey);
      }),
    );
  }
  return outcomes;
}

const NAMES = {
  kid: "kid", algorithm: "algorithm", profile: "profile", identityRef: "identity_ref", cityCode: "city_code",
  issuedAt: "issued_at", expiresAt: "expires_at", nonce: "nonce", channel: "channel", purpose: "purpose",
  presenter: "presenter", assurance: "assurance", statusIndex: "status_index",
};

function claims(voucher) {
  const stated = {};
  for (const [here, there] of Object.entries(NAMES)) {
    if (voucher[here] !== undefined) stated[there] = voucher[here];
  }
  if (voucher.deviceKey) {
    const { curve, x, yIsOdd } = voucher.deviceKey;
    stated.device_key = { curve, x, y_is_odd: yIsOdd };
  }
  if (voucher.presentation) {
    const { issuedAt, nonce, challenge: answer } = voucher.presentation;
    stated.presentation = { issued_at: issuedAt, nonce, ...(answer && { challenge: answer }) };
  }
  return stated;
}
