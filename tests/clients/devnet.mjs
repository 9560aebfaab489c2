// What every client script starts from: the running node and the compiled contracts, as the tests hand them over.
//   DEVNET     the ready line of `sequencer devnet --json`
//   CONTRACTS  path of compile.mjs's output
import { readFileSync } from "node:fs";

export const devnet = JSON.parse(process.env.DEVNET);
export const contracts = JSON.parse(readFileSync(process.env.CONTRACTS, "utf8"));

export const ETHER = 10n ** 18n;
export const MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11";
export const ZERO_HASH = `0x${"00".repeat(32)}`;

/** An address that nobody has used before. */
export const fresh = () => `0x${[...crypto.getRandomValues(new Uint8Array(20))].map((b) => b.toString(16).padStart(2, "0")).join("")}`;

/** One plain JSON-RPC call. */
export async function rpc(method, ...params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const response = await fetch(devnet.rpcUrl, { method: "POST", headers: { "content-type": "application/json" }, body });
  const answer = await response.json();
  if (answer.error) throw new Error(`${method}: ${answer.error.code} ${answer.error.message}`);
  return answer.result;
}

/** The receipt once its block is sealed and reads at `latest` see it. */
export async function sealed(hash) {
  for (;;) {
    const receipt = await rpc("eth_getTransactionReceipt", hash);
    if (receipt && receipt.blockHash !== ZERO_HASH) return receipt;
    await new Promise((done) => setTimeout(done, 20));
  }
}
