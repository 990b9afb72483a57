// Chinese or English: every element with data-words shows the sentence of that name.

const KEY = "ybtoken.language";
const other = { zh: "en", en: "zh" };
const names = { zh: "中文", en: "English" };

export function speak(table, changed = () => {}) {
  let language = localStorage.getItem(KEY) ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  const button = document.getElementById("language");
  const say = (name) => table[name][language];

  function show() {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    for (const element of document.querySelectorAll("[data-words]")) {
      element.textContent = say(element.dataset.words);
    }
    document.title = `${say("title")} · ybtoken`;
    button.textContent = names[other[language]];
    button.lang = other[language];
    changed();
  }

  button.addEventListener("click", () => {
    language = other[language];
    localStorage.setItem(KEY, language);
    show();
  });
  // After the caller has its hands on what this returns.
  queueMicrotask(show);
  return { say, pick: (words) => words[language] };
}

export const WAIT = 3_000; // ms; a gateway that does not answer for so long is away

export async function post(path, body, wait = WAIT) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(wait),
  });
  return { ok: response.ok, status: response.status, body: await response.json() };
}

/** The gateway's settings, and whether its key ring is up to date. */
export async function settings() {
  const response = await fetch("/config", { signal: AbortSignal.timeout(WAIT) });
  if (!response.ok) throw new Error(`/config: ${response.status}`);
  return response.json();
}

export const LOOK_EVERY = 15_000; // ms

/** Say what a person has to know about the key ring; null is nothing. */
export function showStale(stale, language) {
  const line = document.getElementById("stale");
  line.hidden = !stale;
  line.textContent = stale ? language.pick(stale) : "";
}

export const picture = (svg) => "data:image/svg+xml," + encodeURIComponent(svg);
