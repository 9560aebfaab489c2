// Compiles the contracts that nodes and tests deploy, with the settings of foundry.toml, and writes
// artifacts/NAME.json. With --check it writes nothing and fails if a file there differs from a fresh compile.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const DEPLOYED = ["EvidenceVerifier", "RollupInbox"];
const here = dirname(fileURLToPath(import.meta.url));
const solc = createRequire(join(here, "..", "tests", "clients", "package.json"))("solc");
const setting = (name) => readFileSync(join(here, "foundry.toml"), "utf8").match(new RegExp(`^${name} = "?([^"\\n]+)"?$`, "m"))[1];

const read = (path) => readFileSync(join(here, path), "utf8");
const sources = Object.fromEntries(DEPLOYED.map((name) => [`src/${name}.sol`, { content: read(`src/${name}.sol`) }]));
const input = {
  language: "Solidity",
  sources,
  settings: {
    evmVersion: setting("evm_version"),
    optimizer: { enabled: true, runs: Number(setting("optimizer_runs").replace("_", "")) },
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: (path) => ({ contents: read(path) }) }));
const problems = output.errors ?? [];
if (problems.length) {
  process.stderr.write(problems.map((problem) => problem.formattedMessage).join("\n"));
  process.exit(1);
}
let stale = 0;
for (const name of DEPLOYED) {
  const made = output.contracts[`src/${name}.sol`][name];
  const artifact = {
    contractName: name,
    compiler: `solc ${solc.version()}`,
    evmVersion: input.settings.evmVersion,
    abi: made.abi,
    bytecode: `0x${made.evm.bytecode.object}`,
    deployedBytecode: `0x${made.evm.deployedBytecode.object}`,
  };
  const file = join(here, "artifacts", `${name}.json`);
  const text = JSON.stringify(artifact, null, 1) + "\n";
  if (!process.argv.includes("--check")) {
    writeFileSync(file, text);
  } else if (readFileSync(file, "utf8") !== text) {
    process.stderr.write(`${file} is not what the sources compile to; run: node contracts/compile.mjs\n`);
    stale = 1;
  }
}
process.exit(stale);
