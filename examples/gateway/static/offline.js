// The terminal's own verifier, for as long as the gateway is away. What it needs is fetched while the gateway is there,
// and kept with its ends: the key ring, and the status list. Each display is accepted once on this device, because its
// replay key is the key of a record in IndexedDB, and is handed in when the gateway is back.

import { KeyRing, StatusList, TokenError, Verifier, Challenge, normalizeScan, statusPolicy } from "/verifier/index.js";
import { WAIT, post } from "./words.js";

export const NAME = "T1"; // of this terminal
const [HELD, ACCEPTED] = ["held", "accepted"];

const asked = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

let opening;
function database() {
  opening ??= (async () => {
    const request = indexedDB.open("ybtoken", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(HELD);
      request.result.createObjectStore(ACCEPTED, { keyPath: "replayKey" });
    };
    const opened = await asked(request);
    // Opened anew at the next use: after the browser closed it (its data was cleared), or another window waits for it.
    opened.onclose = () => {
      opening = undefined;
      wordsKept = false;
    };
    opened.onversionchange = () => {
      opened.close();
      opening = undefined;
    };
    navigator.storage?.persist?.().catch(() => {}); // else a browser whose disk is full may clear it
    return opened;
  })();
  opening.catch(() => (opening = undefined));
  return opening;
}

async function store(name, mode, act) {
  return transact(mode, (stores) => asked(act(stores[name])));
}

/** Do several things, all of them or none. `act` awaits nothing but `asked`. */
async function transact(mode, act) {
  const transaction = (await database()).transaction([HELD, ACCEPTED], mode, { durability: "strict" });
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  done.catch(() => {}); // what failed is said by the request, and its transaction aborts by itself
  try {
    const result = await act(Object.fromEntries([HELD, ACCEPTED].map((name) => [name, transaction.objectStore(name)])));
    await done;
    return result;
  } catch (error) {
    try {
      transaction.abort();
    } catch {
      // it is aborted already
    }
    throw error;
  }
}

const body = async (path) => {
  const response = await fetch(path, { signal: AbortSignal.timeout(WAIT) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response;
};

/**
 * Fetch what is needed to verify without the gateway. A ring that is older than the one that is held, or another one of its
 * version, is not taken (Spec 5), nor is a list that is not later (Spec 3.5).
 *
 * @returns {Promise<boolean>} whether the gateway's ring was taken
 */
export async function provision() {
  const before = Date.now();
  const config = await (await body("/config")).json();
  const [keys, statusKeys, list, told] = await Promise.all([
    body("/keys").then((response) => response.text()),
    body("/status-keys").then((response) => response.text()),
    body("/status/list").then((response) => response.arrayBuffer()),
    wordsKept ? null : body("/words").then((response) => response.json()),
  ]);
  // Judged by the gateway's clock: a terminal's own is often wrong.
  const ahead = config.now - Math.floor(before / 1000);
  // Read once while the gateway is there: what is not good is not kept, and the arithmetic on SM2 is loaded.
  const { version } = await KeyRing.fromJwks(keys);
  const { issuedAt: listedAt } = await readList({ config, statusKeys, list }, config.now);
  const taken = await transact("readwrite", async ({ [HELD]: all }) => {
    const held = (await asked(all.get("gateway"))) ?? {};
    // Without versions the gateway's word has to do: it is the one that sees which statement is later.
    const isEarlier = version < held.version || (version > 0 && version === held.version && keys !== held.keys);
    const ring = isEarlier ? held : { keys, version, keysUntil: config.keys_until };
    const status = listedAt <= held.listedAt ? held : { statusKeys, list, listedAt };
    const both = { ...pick(ring, "keys", "version", "keysUntil"), ...pick(status, "statusKeys", "list", "listedAt") };
    await asked(all.put({ config, ahead, ...both }, "gateway"));
    if (told) await asked(all.put(told, "words"));
    if (!isEarlier) await asked(all.put(config.now, "seen")); // its end is stated anew, by this clock
    return !isEarlier;
  });
  wordsKept = true;
  return taken;
}

const pick = (from, ...names) => Object.fromEntries(names.map((name) => [name, from[name]]));

let wordsKept = false; // once for each page: they change with the gateway's program

/** What the gateway would say: words of refusals by code, names of purposes, and of the place of a city code. */
export async function words() {
  const { refusals = {}, purposes = {}, places = {} } = (await store(HELD, "readonly", (all) => all.get("words"))) ?? {};
  const placeOf = (cityCode) => {
    const exact = places[cityCode.slice(0, 4)];
    if (exact && cityCode.endsWith("00")) return exact;
    const { zh, en } = exact ?? places[`${cityCode.slice(0, 2)}00`] ?? {};
    return zh ? { zh: `${zh}（${cityCode}）`, en: `${en} (${cityCode})` } : { zh: cityCode, en: cityCode };
  };
  return { refusals, purposes, placeOf };
}

const readList = async ({ config, statusKeys, list }, now) =>
  StatusList.read(new Uint8Array(list), {
    keys: await KeyRing.fromJwks(statusKeys), uri: config.status_uri, now, skew: config.skew,
  });

/** What is held, the gateway's time, and the latest time that this terminal has seen, also over restarts. */
export async function clock() {
  return transact("readwrite", async ({ [HELD]: all }) => {
    const held = await asked(all.get("gateway"));
    const now = Math.floor(Date.now() / 1000) + (held?.ahead ?? 0);
    const seen = Math.max(now, (await asked(all.get("seen"))) ?? 0);
    if (held) await asked(all.put(seen, "seen"));
    return { held, now, seen };
  });
}

/**
 * Verify a text here, and accept it once. Throws a TokenError if it is refused.
 *
 * @returns {Promise<object>} the verified voucher
 */
export async function accept(text, { challenge = "", redeem = true } = {}) {
  const { held, now, seen } = await clock();
  const cannot = (code, reason) => {
    throw new TokenError(code, reason);
  };
  if (!held) cannot("key.ring_unavailable", "this terminal has never seen the gateway");
  const { config } = held;
  if (!(seen < held.keysUntil)) cannot("key.ring_expired", "a clock that is set back does not make it good again");
  if (now < seen - config.skew) cannot("redeem.clock", "the clock was set back");
  const list = await readList(held, now).catch((error) => {
    if (!(error instanceof TokenError)) throw error; // without a list, what needs one is refused
  });
  const verifier = new Verifier(await KeyRing.fromJwks(held.keys), {
    skew: config.skew, maxLifetime: config.max_lifetime, policies: [statusPolicy(list)],
  });
  const scanned = normalizeScan(text);
  const voucher = await verifier.verify(scanned, {
    now, ...(challenge && { challenge: Challenge.fromText(challenge) }),
  });
  if (redeem) {
    const record = { replayKey: voucher.replayKey, text: scanned, at: now, until: voucher.claimUntil, state: "waiting", id: randomId() };
    try {
      await catchUp();
      await transact("readwrite", async (stores) => {
        if (voucher.claimUntil <= ((await asked(stores[HELD].get("forgotten"))) ?? 0)) {
          cannot("redeem.clock", "what ended at this time is forgotten");
        }
        await asked(stores[ACCEPTED].add(record));
      });
    } catch (error) {
      if (error instanceof TokenError) throw error;
      if (error?.name === "ConstraintError") throw new TokenError("redeem.replayed", "on this terminal");
      cannot("redeem.unavailable", String(error)); // what is not remembered is not accepted
    }
  }
  return voucher;
}

// By it the gateway knows a hand-in that is sent again because its answer was lost.
const randomId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

let unremembered = [];

/** Remember what the gateway accepted, so that it is not accepted here when the gateway goes away a moment later. */
export async function remember(replayKey, expiresAt) {
  unremembered.push({ replayKey, until: expiresAt + 3600, state: "redeemed" });
  await catchUp();
}

// Until all of it is written, nothing is accepted here.
async function catchUp() {
  const records = [...unremembered];
  if (!records.length) return;
  await transact("readwrite", async ({ [ACCEPTED]: all }) => {
    for (const record of records) {
      if (!(await asked(all.get(record.replayKey)))) await asked(all.add(record)); // what waits to be handed in stays
    }
  });
  unremembered = unremembered.filter((record) => !records.includes(record));
}

/** Whether a text's display was accepted here and is not handed in yet: the gateway does not know that it is used. */
export async function isWaiting(text, challenge) {
  const records = await inState("waiting");
  if (!records.length) return false;
  const scanned = normalizeScan(text);
  const { replayKey } = await accept(scanned, { challenge, redeem: false }).catch(() => ({}));
  return records.some((record) => record.text === scanned || record.replayKey === replayKey);
}

/** What was accepted here and is "waiting" to be handed in, or was "refused" then and was not seen by a person yet. */
export const inState = async (wanted) =>
  (await store(ACCEPTED, "readonly", (all) => all.getAll())).filter(({ state }) => state === wanted);

/** A person has seen that these were refused when they were handed in. */
export async function noted(records) {
  await transact("readwrite", async ({ [ACCEPTED]: all }) => {
    for (const record of records) await asked(all.put({ ...record, state: "handed in" }));
  });
}

const HAND_IN_WAIT = 10_000; // ms; nobody stands at the counter for it
const FOR_AN_OPERATOR = ["redeem.restarted", "redeem.clock"]; // it waits, and holds up no other

// Only the gateway's own verdict on the display is final. Anything else, such as a proxy's 404, leaves it waiting.
const isFinal = ({ ok, status, body: { code, step } }) => (ok ? code === "accepted" : step && status < 500 && status !== 429);

/**
 * Hand in what was accepted here. Calls at the same time wait for each other, those of other windows too.
 *
 * @param {number} now the gateway's clock, as it has just said
 * @returns {Promise<{outcomes: object[], stuck: string}>} what became of each; and why one stays until a person acts
 */
export function handIn(now) {
  return navigator.locks.request("ybtoken.hand-in", async () => {
    const outcomes = [];
    let stuck = "";
    for (const record of await inState("waiting")) {
      // A clock of this device that was ahead since must not put it into the gateway's future.
      const { text, at, id, replayKey, until } = record;
      const sent = { text, at: Math.min(at, now), id, terminal: NAME };
      const answered = await post("/hand-in", sent, HAND_IN_WAIT).catch(() => null);
      if (!answered) break; // it is away again
      const { ok, status, body: answer } = answered;
      const code = answer.code ?? String(status);
      if (isFinal(answered)) {
        const state = ok ? "handed in" : "refused";
        await store(ACCEPTED, "readwrite", (all) => all.put({ replayKey, at, until, state, code }));
        outcomes.push({ replayKey, ok, body: answer });
      } else if ((status >= 500 && !FOR_AN_OPERATOR.includes(code)) || status === 429) {
        break; // it cannot be judged now
      } else {
        stuck = code;
      }
    }
    await forget(now);
    return { outcomes, stuck };
  });
}

/** Forget what nobody could accept any more. A clock that is set back later makes nothing of it good again. */
async function forget(now) {
  await transact("readwrite", async ({ [HELD]: held, [ACCEPTED]: all }) => {
    const before = now - 3600; // an hour, for a clock that was ahead
    const past = (await asked(all.getAll())).filter(({ state, until }) => !["waiting", "refused"].includes(state) && until < before);
    if (!past.length) return;
    const forgotten = (await asked(held.get("forgotten"))) ?? 0;
    await asked(held.put(Math.max(forgotten, ...past.map(({ until }) => until)), "forgotten"));
    for (const { replayKey } of past) await asked(all.delete(replayKey));
  });
}
