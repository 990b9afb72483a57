// How large the package is for a page, in one file: minified, and gzipped. Nothing of this is needed to use it.

import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const entry = new URL("../src/index.js", import.meta.url).pathname;
for (const [what, external] of [["with @noble", []], ["alone", ["@noble/*"]]]) {
  const { outputFiles } = await build({
    entryPoints: [entry], bundle: true, minify: true, format: "esm", write: false, external, target: "es2022",
  });
  const { contents } = outputFiles[0];
  console.log(`${what}: ${contents.length} bytes, ${gzipSync(contents, { level: 9 }).length} gzipped`);
}
