// Compiles contracts/*.sol with the solc from npm; prints {"Name": {"abi": [...], "bytecode": "0x..."}}.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const solc = createRequire(import.meta.url)("solc");
const sources = Object.fromEntries(
  readdirSync(join(here, "contracts"))
    .filter((name) => name.endsWith(".sol"))
    .map((name) => [name, { content: readFileSync(join(here, "contracts", name), "utf8") }]),
);
const input = {
  language: "Solidity",
  sources,
  settings: {
    evmVersion: "prague",
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const library = (path) => ({ contents: readFileSync(join(here, "node_modules", path), "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: library }));
const errors = (output.errors ?? []).filter((error) => error.severity === "error");
if (errors.length) {
  process.stderr.write(errors.map((error) => error.formattedMessage).join("\n"));
  process.exit(1);
}
const contracts = Object.entries(output.contracts)
  .filter(([file]) => file in sources)
  .flatMap(([, byName]) => Object.entries(byName))
  .map(([name, made]) => [name, { abi: made.abi, bytecode: "0x" + made.evm.bytecode.object }]);
process.stdout.write(JSON.stringify(Object.fromEntries(contracts)));
