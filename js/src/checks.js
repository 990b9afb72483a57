// Checks of arguments. What is wrong with them is misuse: a TypeError or a RangeError, never a TokenError. A comparison with
// undefined or NaN is false, so a bound that nobody checked would bound nothing.

const LATEST_CLOCK = 2 ** 33 - 1;

export const whole = (name, value, least, most = Number.MAX_SAFE_INTEGER, unit = "") => {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  const bound = most < Number.MAX_SAFE_INTEGER ? `${least} to ${most}` : `at least ${least}`;
  throw new RangeError(`${name} is ${bound}${unit}, a whole number`);
};

export const wholeSeconds = (name, value, least) => whole(name, value, least, undefined, " seconds");

export const timeOf = (now) => {
  if (!Number.isSafeInteger(now)) throw new TypeError("now is whole seconds since 1970");
  if (now < 0 || now > LATEST_CLOCK) {
    throw new RangeError("now is 0 to 2^33 - 1 seconds since 1970; is it in milliseconds?");
  }
  return now;
};

export const kindOf = (name, value, is, wanted) => {
  if (!is) throw new TypeError(`${name} is ${wanted}, not ${value === null ? "null" : typeof value}`);
  return value;
};

export const arrayOf = (name, value) => kindOf(name, value, Array.isArray(value), "an array");

export const flag = (name, value) => kindOf(name, value, typeof value === "boolean", "true or false");

/** A copy of bytes, because the caller may use them again while they are read. */
export const copyOf = (name, value) => new Uint8Array(kindOf(name, value, value instanceof Uint8Array, "a Uint8Array"));
