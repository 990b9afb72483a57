// The terminal: whatever reads a code brings its text to `submit`, and the verdict fills the screen.

import { speak, post, picture, settings, showStale } from "./words.js";
import * as offline from "./offline.js";

const WORDS = {
  title: { zh: "收费终端 · 演示", en: "Counter terminal · demo" },
  input: { zh: "扫码，或粘贴码文", en: "Scan, or paste a code" },
  go: { zh: "提交", en: "Submit" },
  camera: { zh: "摄像头", en: "Camera" },
  ask: { zh: "防转发验证", en: "Challenge" },
  asked: { zh: "请参保人打开设备绑定凭证，扫描此图或输入下方数字。在此之前，其他码一律不受理。", en: "The holder opens the device-bound code and scans this, or enters the digits below. No other code is accepted meanwhile." },
  noChallenge: { zh: "网关无法连接，不能发起防转发验证：不要受理。稍后再试，或再按“防转发验证”取消。", en: "The gateway cannot be reached, so there is no challenge: accept nothing. Try again later, or press Challenge again to go without." },
  act: { zh: "操作", en: "What is done" },
  redeem: { zh: "核销（一次有效）", en: "Redeem (good for once)" },
  verify: { zh: "只验证", en: "Only verify" },
  noCamera: { zh: "此浏览器不支持摄像头扫码，请用扫码枪。", en: "This browser cannot scan by camera: use a scanner." },
  cameraDenied: { zh: "浏览器未获准使用摄像头：请在地址栏旁的网站权限中允许，再按“摄像头”；或用扫码枪。", en: "This page may not use the camera: allow it beside the address and press Camera again, or use a scanner." },
  cameraMissing: { zh: "没有可用的摄像头：请检查是否接好、是否被其他程序占用；或用扫码枪。", en: "There is no camera to use: see that it is connected and that no other program has it, or use a scanner." },
  recent: { zh: "最近", en: "Recent" },
  ready: { zh: "请扫码", en: "Ready to scan" },
  readyHint: { zh: "请参保人亮屏出示医保码", en: "Ask for the code, with the screen bright" },
  busy: { zh: "正在核验…", en: "Checking …" },
  accepted: { zh: "已受理", en: "Accepted" },
  verified: { zh: "有效，本次未核销", en: "Good, and not redeemed by this" },
  carryOn: { zh: "请继续办理", en: "Carry on" },
  refused: { zh: "不受理", en: "Refused" },
  again: { zh: "未读清", en: "Not read" },
  cannot: { zh: "暂时无法核验", en: "Cannot check now" },
  network: { zh: "网关无法连接：不要受理。请检查本机网络后重试。", en: "The gateway cannot be reached: accept nothing. Check this machine's network and try again." },
  acceptedHere: { zh: "离线受理，待上传", en: "Accepted offline, to be handed in" },
  verifiedHere: { zh: "离线验证有效，本次未核销", en: "Good by this terminal's own check, and not redeemed" },
  refusedHere: { zh: "网关无法连接，由本机核验。", en: "The gateway is away: this terminal checked by itself. " },
  usedHere: { zh: "本机已离线受理此码，尚未上传。", en: "This terminal accepted the code offline, and has not handed it in yet. " },
  waiting: { zh: "笔离线受理待上传", en: "accepted offline, to be handed in" },
  stuck: { zh: "网关未受理上传，记录留在本机：请联系技术支持", en: "the gateway did not take it, and it stays here: call support" },
  handedIn: { zh: "离线受理已上传", en: "Accepted offline, handed in" },
  handedBad: { zh: "离线受理上传未通过：请联系经办机构", en: "Accepted offline, refused at hand-in: call the office" },
  handedBadCount: { zh: "笔离线受理上传未通过：请联系经办机构", en: "accepted offline, refused at hand-in: call the office" },
  noted: { zh: "已知悉", en: "Noted" },
  earlierRing: { zh: "网关的密钥环与本机用过的不同，版本也没有更大：网关断开时，本机仍用原来的。请告知运维人员。", en: "The gateway's key ring is not the one that this terminal has used, and no later version: while the gateway is away, this terminal keeps to its own. Tell the operator." },
  insured: { zh: "参保地", en: "Insured in" },
  purpose: { zh: "业务", en: "For" },
  step: { zh: "步骤", en: "step" },
};

const SYMBOLS = {
  ready: "M8 16V8h8M32 8h8v8M40 32v8h-8M16 40H8v-8M14 24h20",
  busy: "M24 10v14l8 6",
  accepted: "M10 25l10 10 18-22",
  refused: "M12 12l24 24M36 12L12 36",
  again: "M37 17a15 15 0 1 0 2 10M38 8v10H28",
  cannot: "M24 8v20M24 38v.5",
};

const CLEAR_AFTER = 20_000; // ms; the next customer must not be met by the verdict of the last
const KEYSTROKE_GAP = 120; // ms; a wedge scanner types faster than this, and people do not
const $ = (id) => document.getElementById(id);
const language = speak(WORDS, paint);
const input = $("text");
const history = [];
let current = { kind: "ready" };
let asking = false; // for an answer to a challenge
let challenge = "";
let forgetting = 0;
let clearing = 0;
let busy = false;
let waiting = 0;
let refused = []; // at hand-in, until a person has seen it
let stuck = ""; // why something that waits stays so until a person acts
let isRingEarlier = false;
let where = null; // the gateway's settings, once it has said them

async function submit(text) {
  if (!text.trim() || busy) return;
  input.value = "";
  if (asking && !challenge) return show({ kind: "cannot", remedy: WORDS.noChallenge });
  busy = true;
  const given = challenge; // it may be forgotten while the gateway answers
  const act = document.querySelector("[name=act]:checked").value;
  show({ kind: "busy" });
  try {
    const body = { text: text.slice(0, 1600), terminal: offline.NAME, ...(given && { challenge: given }) };
    // Without a store nothing was accepted here.
    const used = act === "redeem" && (await offline.isWaiting(body.text, given).catch(() => waiting > 0));
    const answered = used ? null : await post(`/${act}`, body).catch(() => null); // null: the gateway is away
    show(answered ? verdictOf(answered, act) : await verdictHere(body.text, given, act, used ? WORDS.usedHere : WORDS.refusedHere));
    if (answered?.ok && act === "redeem") {
      const { replay_key: replayKey, expires_at: expiresAt } = answered.body;
      await offline.remember(replayKey, expiresAt).catch(() => {}); // then this terminal accepts nothing by itself
    }
    if (given && isAnswered(current)) await ask(current.kind !== "accepted");
  } catch {
    show({ kind: "cannot", remedy: WORDS.network });
  }
  busy = false;
  history.unshift({ ...current, at: new Date() });
  history.length = Math.min(history.length, 4);
  paint();
  input.focus({ preventScroll: true });
}

// Without an answer, or if nobody could judge it, the same challenge stands for the rest of its minute.
const isAnswered = ({ kind, code }) => kind === "accepted" || (kind === "refused" && code !== "challenge.missing");

// A bad scan is not a bad customer, and a fault on this side is not one on the phone's: each has its own sign.
function verdictOf({ ok, status, body }, act) {
  if (ok) return { kind: "accepted", headline: act === "redeem" ? WORDS.accepted : WORDS.verified, voucher: body };
  if (!body.code) return { kind: "cannot", remedy: { zh: body.title, en: body.title } };
  const kind = status >= 500 ? "cannot" : body.step === 1 ? "again" : "refused";
  return { kind, remedy: body.remedy, what: body.what, code: body.code, step: body.step };
}

// The gateway is away: what this terminal finds by itself, and says that it did.
async function verdictHere(text, challenge, act, why) {
  const redeem = act === "redeem";
  const { refusals, purposes, placeOf } = await offline.words();
  try {
    const { cityCode, purpose } = await offline.accept(text, { challenge, redeem });
    await countWaiting();
    const voucher = { place: placeOf(cityCode), purpose, purpose_name: purposes[purpose], notes: [] };
    return { kind: "accepted", here: true, headline: redeem ? WORDS.acceptedHere : WORDS.verifiedHere, voucher };
  } catch (error) {
    const { code, step } = typeof error.code === "string" ? error : {}; // a DOMException has a number
    const { what = { zh: "", en: "" }, remedy, cannot_check: cannot } = refusals[code] ?? { cannot_check: true };
    if (cannot && (!remedy || code.endsWith(".unavailable"))) return { kind: "cannot", remedy: WORDS.network, code, step };
    const said = { zh: why.zh + what.zh, en: why.en + what.en };
    return { kind: cannot ? "cannot" : step === 1 ? "again" : "refused", remedy, what: said, code, step };
  }
}

async function countWaiting() {
  waiting = (await offline.inState("waiting")).length;
  refused = await offline.inState("refused");
  paint();
}

// While the gateway is there: hand in what was accepted here, and fetch anew what is needed without it.
const KEEP_EVERY = 15_000; // ms; a quarter of a status list's life

async function keep() {
  await countWaiting().catch(() => {});
  try {
    where = await settings();
    paint();
    isRingEarlier = !(await offline.provision());
    paint();
    await keepPage().catch(() => {}); // a browser that keeps no page still verifies as long as this one is open
    const handed = await offline.handIn(where.now);
    stuck = handed.stuck;
    for (const { ok, body } of handed.outcomes) {
      const headline = ok ? WORDS.handedIn : WORDS.handedBad;
      history.unshift({ kind: ok ? "accepted" : "refused", headline, code: body.code, at: new Date() });
    }
    history.length = Math.min(history.length, 4);
    await countWaiting();
  } catch {
    await offline.clock().catch(() => {}); // it is remembered how late it is
    // The gateway is still away, or this browser keeps nothing: then nothing is accepted without the gateway.
  }
}

// Keep this page itself, with what it has loaded by now.
let pageKept = false;

async function keepPage() {
  if (pageKept || !navigator.serviceWorker) return; // there is none in a page that came over plain HTTP
  await navigator.serviceWorker.register("/worker.js", { scope: "/terminal" });
  const { active } = await navigator.serviceWorker.ready;
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => (pageKept = true); // until it says so, it is asked again
  active.postMessage(performance.getEntriesByType("resource").map(({ name }) => name), [port2]);
}

function show(verdict) {
  current = verdict;
  clearTimeout(clearing);
  if (!["ready", "busy"].includes(verdict.kind)) clearing = setTimeout(() => show({ kind: "ready" }), CLEAR_AFTER);
  paint();
}

function paint() {
  const { kind, headline, remedy, what, code, step, voucher, here } = current;
  $("verdict").className = `verdict ${kind}`;
  $("verdict").dataset.by = here ? "terminal" : "gateway";
  $("waiting").hidden = !waiting;
  $("waiting").textContent = `${waiting} ${language.say("waiting")}${stuck && ` · ${language.say("stuck")} (${stuck})`}`;
  $("refused").hidden = !refused.length;
  $("refused-count").textContent = `${refused.length} ${language.say("handedBadCount")}`;
  $("refused-list").replaceChildren(...refused.map(refusedLine));
  $("symbol").setAttribute("d", SYMBOLS[kind]);
  $("headline").textContent = language.pick(headline ?? WORDS[kind]);
  $("remedy").textContent = remedy ? language.pick(remedy) : { ready: language.say("readyHint"), accepted: language.say("carryOn") }[kind] ?? "";
  $("what").textContent = what ? language.pick(what) : "";
  $("code").textContent = [code, step && `${language.say("step")} ${step}`].filter(Boolean).join(" · ");
  $("facts").replaceChildren(...facts(voucher));
  $("recent").replaceChildren(...history.map(line));
  $("asked").hidden = !challenge;
  $("ask").setAttribute("aria-pressed", String(asking));
  showStale(where?.stale ?? (isRingEarlier ? WORDS.earlierRing : null), language);
  $("where").textContent = where ? `${offline.NAME} · ${language.pick(where.place_name)} · ${where.algorithm}` : "";
}

function facts(voucher) {
  if (!voucher) return [];
  const rows = [[language.say("insured"), language.pick(voucher.place)]];
  if (voucher.purpose) rows.push([language.say("purpose"), voucher.purpose_name ? language.pick(voucher.purpose_name) : voucher.purpose]);
  for (const note of voucher.notes) rows.push(["!", language.pick(note.what)]);
  return rows.flatMap(([name, value]) => [make("dt", name), make("dd", value)]);
}

function line(past) {
  const item = make("li", "");
  item.className = past.kind;
  const time = make("time", past.at.toLocaleTimeString("zh-CN", { hour12: false }));
  item.append(time, make("span", language.pick(past.headline ?? WORDS[past.kind])), make("code", past.code ?? ""));
  return item;
}

// The key is what the gateway's record and the office know the display by.
function refusedLine({ at, code, replayKey }) {
  const item = make("li", "");
  item.append(make("time", new Date(at * 1000).toLocaleString("zh-CN", { hour12: false })), make("code", code), make("code", replayKey));
  return item;
}

$("noted").addEventListener("click", () => offline.noted(refused).then(countWaiting).catch(() => {}));

function make(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}

// Paste, or type and Enter.
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit(input.value);
});

// A wedge scanner types wherever the focus is, through whatever input method is on: keys are taken by their place.
let typed = "";
let last = 0;
document.addEventListener("keydown", (event) => {
  if (event.target === input || event.ctrlKey || event.metaKey || event.altKey) return;
  const now = performance.now();
  if (now - last > KEYSTROKE_GAP) typed = "";
  last = now;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1] ?? (/^\d$/.test(event.key) ? event.key : "");
  if (digit) {
    typed += digit;
  } else if (event.key === "Enter" && typed.length > 20) {
    event.preventDefault(); // else it presses the button that has the focus
    submit(typed);
    typed = "";
  }
});

// The camera, where the browser reads codes by itself. It stays on for the next customer.
const AWAY = 3_000; // ms; a code that was out of sight for so long is shown again on purpose
const seen = new Map(); // the codes in sight, and when each was seen last
let stream = null;

// A code is held there for a second or two: it is submitted once, and its verdict stays.
function sight(code) {
  const now = performance.now();
  for (const [past, at] of seen) if (now - at > AWAY) seen.delete(past);
  const held = seen.has(code);
  if (!held && busy) return; // the next frame shows it as well
  seen.set(code, now);
  if (!held) submit(code);
}

async function look() {
  const video = $("video");
  $("camera").disabled = true; // while the browser asks whether it may
  note("");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    showCamera();
    await video.play();
  } catch (error) {
    stopLooking(error.name === "NotAllowedError" ? "cameraDenied" : "cameraMissing");
  }
  $("camera").disabled = false;
  const mine = stream;
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  mine?.getVideoTracks().forEach((track) => track.addEventListener("ended", () => stopLooking("cameraMissing")));
  while (mine && stream === mine) {
    const [found] = await detector.detect(video).catch(() => []);
    if (found && stream === mine) sight(found.rawValue);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

function stopLooking(why = "") {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  showCamera();
  note(why);
}

function showCamera() {
  $("video").srcObject = stream;
  $("video").hidden = !stream;
  $("camera").setAttribute("aria-pressed", String(Boolean(stream)));
}

function note(name) {
  $("camera-note").hidden = !name;
  if (!name) return;
  $("camera-note").className = name === "noCamera" ? "" : "trouble";
  $("camera-note").dataset.words = name;
  $("camera-note").textContent = language.say(name);
}

async function offerCamera() {
  const formats = "BarcodeDetector" in window ? await BarcodeDetector.getSupportedFormats().catch(() => []) : [];
  if (formats.includes("qr_code") && navigator.mediaDevices) {
    $("camera").addEventListener("click", () => (stream ? stopLooking() : look()));
    // What was only verified is redeemed while it is still held there.
    for (const act of document.querySelectorAll("[name=act]")) act.addEventListener("change", () => seen.clear());
  } else {
    $("camera").disabled = true;
    note("noCamera");
  }
}

// A challenge: only the phone in front of this terminal can answer it. It is forgotten after an answer or a minute (Spec
// 3.4), and until the customer's answer is accepted or the button is pressed again, another one takes its place.
const CHALLENGE_LIFE = 60_000; // ms
let asks = 0;

async function ask(on) {
  const mine = ++asks;
  clearTimeout(forgetting);
  [asking, challenge] = [on, ""];
  paint();
  if (!on) return true;
  const answered = await post("/challenge", { terminal: offline.NAME, purpose: "01301" }).catch(() => null);
  if (mine !== asks) return true; // pressed again meanwhile
  if (!answered?.ok) return false;
  const { body } = answered;
  challenge = body.text;
  forgetting = setTimeout(() => ask(true), CHALLENGE_LIFE);
  $("asked-code").src = picture(body.svg);
  $("asked-text").textContent = body.text;
  paint();
  return true;
}
$("ask").addEventListener("click", async () => {
  if (!(await ask(!asking))) show({ kind: "cannot", remedy: WORDS.noChallenge });
});

offerCamera();
keep();
setInterval(keep, KEEP_EVERY);
addEventListener("online", keep);
