// Hardhat's native part is left out of an installation under a Node older than the one it needs, so its project is
// installed by the Node that also runs it: the present one, or the newer one among the packages here.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const packaged = join(here, "node_modules", `node-linux-${process.arch}`, "bin", "node");
const node = existsSync(packaged) ? packaged : process.execPath;
// Not `ci`: it insists on lines in the lock for the native parts of systems that a registry may not carry.
const install = ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel", "error"];
execFileSync(node, [process.env.npm_execpath, ...install], { cwd: join(here, "hardhat"), stdio: "inherit" });
