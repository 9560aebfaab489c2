#!/usr/bin/env node
// The solc from npm behind the command line that forge expects of a native compiler.
const solc = require("solc");

if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace("Emscripten.clang", "Linux.g++")}`);
} else {
  process.stdout.write(solc.compile(require("node:fs").readFileSync(0, "utf8")));
}
