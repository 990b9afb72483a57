// The phone: one code on the screen, and another before it is over.
//
// A kind of code is an object in KINDS with two functions: `enrol` asks the platform for what the phone keeps, and
// `display` makes the text to show now, and says for how many seconds it stands until the next, and for how many it is
// good. All else is the same for each.

import { speak, post, picture, settings, showStale, LOOK_EVERY } from "./words.js";
import { deviceBoundText, fromHex, isChallenge, newDeviceKey, provenKey, rotatingKey, rotatingText } from "./wire.js";

const WORDS = {
  title: { zh: "医保电子凭证 · 演示", en: "E-voucher · demo" },
  holder: { zh: "张*三", en: "Zhang *" },
  insured: { zh: "参保地", en: "Insured in" },
  refreshes: { zh: "请将二维码对准扫码口，自动更新", en: "Hold the code to the scanner. It renews itself." },
  waiting: { zh: "网络恢复后自动更新", en: "It renews itself when the network is back." },
  refresh: { zh: "立即更新", en: "Renew now" },
  kinds: { zh: "码的类型", en: "Kind of code" },
  challenge: { zh: "终端的要求（扫描或粘贴 95 开头的数字）", en: "What the terminal asks (digits that begin with 95)" },
  loading: { zh: "正在取码…", en: "Fetching the code …" },
  offline: { zh: "无法连接平台，旧码已失效。请检查网络。", en: "The platform cannot be reached and the last code is over. Check the network." },
  alt: { zh: "二维码，供扫码枪读取", en: "QR code for the scanner" },
  stale: { zh: "收费终端的密钥环未更新", en: "The terminals' key ring is out of date." },
  left: { zh: "秒后更新", en: "seconds until it renews" },
};

const KINDS = {
  1: {
    name: { zh: "动态码", en: "Voucher" },
    about: { zh: "平台为每次展码签名；需要网络。", en: "The platform signs every display; needs the network." },
    async display() {
      const issued = await ask("/issue", { ...HOLDER, profile: 1 });
      // Renewed at half of its life: what is scanned at the last moment still has the other half.
      const life = issued.expires_at - issued.issued_at;
      return { text: issued.text, stands: life / 2, good: life };
    },
  },
  2: {
    name: { zh: "离线动态码", en: "Rotating pass" },
    about: { zh: "手机每 30 秒自行换码，无需平台。", en: "The phone changes the code every 30 s by itself." },
    async enrol() {
      const issued = await ask("/issue", { ...HOLDER, profile: 2 });
      return { pass: fromHex(issued.pass), key: await rotatingKey(fromHex(issued.secret)), ...clockOf(issued) };
    },
    async display(kept) {
      const now = kept.now();
      return { text: await rotatingText(kept.pass, kept.key, now), stands: 30 - (now % 30), good: 60 - (now % 30) };
    },
  },
  3: {
    name: { zh: "设备绑定凭证", en: "Device-bound" },
    about: { zh: "由本机密钥签名，密钥不可导出；可回应终端。", en: "Signed by a key that cannot leave this phone; can answer a terminal." },
    async enrol() {
      const keys = await newDeviceKey();
      const { challenge } = await ask("/enrol", { holder: HOLDER.holder });
      const issued = await ask("/issue", { ...HOLDER, profile: 3, device_key: await provenKey(keys, challenge) });
      return { pass: fromHex(issued.pass), key: keys.privateKey, ...clockOf(issued) };
    },
    async display(kept) {
      const challenge = isChallenge(field.value.trim()) ? field.value.trim() : "";
      return { text: await deviceBoundText(kept.pass, kept.key, kept.now(), challenge), stands: 30, good: 60 };
    },
  },
};

const PLACE = { zh: "浙江杭州", en: "Hangzhou, Zhejiang" }; // of the demo's holder
const HOLDER = { holder: "demo1", city_code: "330100", purpose: "01301", assurance: 3 };
const [code, veil, ring, seconds, about, field, answer, place] =
  ["code", "veil", "ring", "seconds", "about", "challenge", "answer", "place"].map((id) => document.getElementById(id));
const tip = document.querySelector("[data-words=refreshes]");
const left = ring.querySelector(".left");

const language = speak(WORDS, paint);
let kind = "1";
let shown = { at: 0, stands: 0, over: 0 };
let message = "loading";
let turn = 0; // a display that was asked for before the last change of kind is thrown away
const kept = {};
let stale = null; // what the verifying side has to say about its key ring

async function look() {
  stale = await settings().then((config) => config.stale, () => stale);
  paint();
}

async function ask(path, body) {
  const answered = await post(path, body);
  if (!answered.ok) throw new Error(answered.body.title);
  return answered.body;
}

// The platform's clock: people set their phones' clocks as they like.
function clockOf(issued) {
  const ahead = issued.now - Date.now() / 1000;
  return { now: () => Math.floor(Date.now() / 1000 + ahead) };
}

const clock = () => performance.now() / 1000;

async function renew() {
  const mine = ++turn;
  const from = KINDS[kind];
  try {
    if (from.enrol) kept[kind] ??= await from.enrol();
    const { text, stands, good } = await from.display(kept[kind]);
    const { svg } = await ask("/present", { text });
    if (mine !== turn) return;
    code.src = picture(svg);
    await code.decode();
    code.dataset.text = text;
    shown = { at: clock(), stands, over: clock() + good };
    message = "";
  } catch (error) {
    if (mine !== turn) return;
    // What is shown stays for as long as it is good; then the veil falls.
    shown = { ...shown, at: clock(), stands: 3 };
    if (clock() > shown.over) message = "offline";
  }
  paint();
}

function paint() {
  code.hidden = message !== "";
  code.alt = language.say("alt");
  veil.hidden = message === "";
  veil.className = message === "offline" ? "over" : "";
  if (message) veil.textContent = language.say(message);
  about.textContent = language.pick(KINDS[kind].about);
  place.textContent = `${language.say("insured")} ${language.pick(PLACE)}`;
  tip.textContent = language.say(message === "offline" ? "waiting" : "refreshes");
  answer.hidden = kind !== "3";
  showStale(stale && WORDS.stale, language);
  for (const label of document.querySelectorAll("#kinds span")) {
    label.textContent = language.pick(KINDS[label.dataset.kind].name);
  }
  tick();
}

function tick() {
  const remains = Math.max(0, shown.at + shown.stands - clock());
  const share = shown.stands ? remains / shown.stands : 0;
  left.setAttribute("stroke-dashoffset", String(100 * (1 - share)));
  seconds.textContent = message === "loading" ? "" : String(Math.ceil(remains));
  ring.setAttribute("aria-label", `${Math.ceil(remains)} ${language.say("left")}`);
  if (shown.stands && remains === 0) {
    shown.stands = 0; // once
    renew();
  }
}

for (const number of Object.keys(KINDS)) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "kind", value: number });
  const words = document.createElement("span");
  words.dataset.kind = number;
  input.checked = number === kind;
  input.disabled = number !== "1" && !globalThis.crypto?.subtle; // browsers have keys on https and on the loopback only
  input.addEventListener("change", () => {
    kind = number;
    message = "loading";
    shown.over = 0; // what was on the screen is of another kind
    paint();
    renew();
  });
  label.append(input, words);
  document.getElementById("kinds").append(label);
}

document.getElementById("refresh").addEventListener("click", renew);
answer.addEventListener("submit", (event) => {
  event.preventDefault();
  renew();
});
field.addEventListener("input", () => isChallenge(field.value.trim()) && renew());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  renew();
  stayOn();
});
// Keep the screen on while the code is shown, where the browser can; it lets go whenever the page is hidden.
const stayOn = () => navigator.wakeLock?.request("screen").catch(() => {});
stayOn();
setInterval(tick, 250);
setInterval(look, LOOK_EVERY);
look();
renew();
