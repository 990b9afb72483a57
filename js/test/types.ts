// What a user of the types relies on; checked by `npm run types`, never run.

import { Challenge, KeyRing, StatusList, TokenError, Verifier, anyOf, channel, maximumAge, statusPolicy } from "ybtoken-verify";

const keys: KeyRing = await KeyRing.fromJwks('{"keys": []}');
let list: StatusList | undefined;
const verifier = new Verifier(keys, {
  skew: 5,
  policies: [anyOf(channel([1]), maximumAge(30)), statusPolicy(() => list, { grace: 60 }), ({ cityCode }) => void cityCode],
});
const challenge = new Challenge({ terminal: "H1", purpose: "01301" });
try {
  const voucher = await verifier.verify("96", { challenge });
  const index: number | undefined = voucher.statusIndex;
  const until: number = voucher.claimUntil;
  void [index, until];
  // @ts-expect-error what was verified is not changed
  voucher.cityCode = "110000";
} catch (error) {
  if (error instanceof TokenError) error.code satisfies string;
}
// @ts-expect-error lists are made by reading them
new StatusList();
// @ts-expect-error a policy is not async
new Verifier(keys, { policies: [async () => {}] });
// @ts-expect-error the ring is a KeyRing
new Verifier({ keys: [] });
