// Keeps the terminal's page on the device, so that a terminal that is switched on or reloaded while the gateway is away
// still opens it. While the gateway is there, the page comes from the gateway: what is kept is never shown instead.

const PAGE = "/terminal";
const PARTS = /^\/(static|verifier|noble)\//;
const WAIT = 3_000; // ms; a gateway that does not answer for so long is away
const opened = () => caches.open("ybtoken-terminal");

const isKept = (address) => {
  const { origin, pathname } = new URL(address, location);
  return origin === location.origin && (pathname === PAGE || PARTS.test(pathname));
};

addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

// The page says what it has loaded before this worker was there.
addEventListener("message", (event) => {
  const kept = opened().then((cache) => cache.addAll([PAGE, ...new Set(event.data.filter(isKept))]));
  event.waitUntil(kept.then(() => event.ports[0].postMessage("kept")));
});

addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && isKept(event.request.url)) event.respondWith(newest(event.request));
});

async function newest(request) {
  const cache = await opened();
  const kept = await cache.match(request);
  try {
    const answer = await fetch(request, kept ? { signal: AbortSignal.timeout(WAIT) } : {});
    if (answer.ok) await cache.put(request, answer.clone());
    return kept && answer.status >= 500 ? kept : answer; // a proxy answers for a gateway that is away
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}
