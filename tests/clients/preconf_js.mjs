// Verifies pre-confirmations with the project's own JavaScript package.
// stdin: {"chain": what parseChain takes, or null, "texts": [JSON text, ...]}    stdout: [{valid, checks}, ...]
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { parseChain, verify } from "../../clients/js/src/index.js";

const { chain, texts } = JSON.parse(readFileSync(0, "utf8"));
const known = chain === null ? {} : { chain: parseChain(chain) };

function report(text) {
  const { valid, checks } = verify(text, known);
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    return { valid, checks };
  }
  // A string is taken for a JSON text wherever it comes from, so it means the same parsed or not only as an object.
  if (typeof document !== "string" && !isDeepStrictEqual(verify(document, known).checks, checks)) {
    throw new Error(`text and object are judged differently: ${text.slice(0, 200)}`);
  }
  return { valid, checks };
}

process.stdout.write(JSON.stringify(texts.map(report)));
