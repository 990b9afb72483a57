// A JSON reader that accepts only what every reader understands alike (Spec 5). JSON.parse takes the last of two members
// with the same name, and reads 1.0, 1e0 and -0 as integers.

const DEEPEST = 8;

/** Read a document; integers are the only numbers. Objects come as maps. Raises a RangeError. */
export function parseStrictJson(text) {
  let at = 0;
  const fail = (what) => {
    throw new RangeError(`not the JSON of a key set: ${what} at character ${at}`);
  };
  const skip = () => {
    while (" \t\n\r".includes(text[at] ?? "x")) at++;
  };
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found?.[0];
  };
  const string = () => {
    const found = take(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    return found === undefined ? fail("a string is expected") : JSON.parse(found);
  };
  // Items between brackets, separated by commas.
  const items = (close, read) => {
    at++;
    skip();
    if (text[at] === close) return void at++;
    for (;;) {
      read();
      skip();
      const next = text[at++];
      if (next === close) return undefined;
      if (next !== ",") fail("a comma is expected");
      skip();
    }
  };
  const value = (depth) => {
    if (depth > DEEPEST) fail("it is nested too deeply");
    skip();
    switch (text[at]) {
      case '"':
        return string();
      case "[": {
        const array = [];
        items("]", () => array.push(value(depth + 1)));
        return array;
      }
      case "{": {
        const map = new Map();
        items("}", () => {
          const name = string();
          if (map.has(name)) fail(`the member ${name} stands twice`);
          skip();
          if (text[at++] !== ":") fail("a colon is expected");
          map.set(name, value(depth + 1));
        });
        return map;
      }
      default: {
        const word = take(/true|false|null/y);
        if (word !== undefined) return JSON.parse(word);
        const number = take(/-?[0-9.eE+-]+/y) ?? fail("a value is expected");
        if (!/^(?:0|-?[1-9][0-9]*)$/.test(number) || !Number.isSafeInteger(Number(number))) {
          fail("a number is an integer from -(2^53 - 1) to 2^53 - 1, without fraction or exponent");
        }
        return Number(number);
      }
    }
  };
  const document = value(0);
  skip();
  if (at !== text.length) fail("something follows");
  return document;
}
