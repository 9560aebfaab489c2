// What wallets ask to look before they leap: simulations, access lists, proofs and traces, with viem and ethers.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { JsonRpcProvider } from "ethers";
import { createPublicClient, createWalletClient, decodeFunctionResult, defineChain, encodeFunctionData, http, keccak256, pad, parseEther, zeroHash } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { contracts, devnet, fresh, sealed } from "./devnet.mjs";

const chain = defineChain({
  id: devnet.chainId,
  name: "devnet",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [devnet.rpcUrl] } },
});
const { abi, bytecode } = contracts.Token;

describe(`looking into executions, ${devnet.engine} engine`, { concurrency: 1 }, () => {
  const account = privateKeyToAccount(devnet.accounts[7].privateKey);
  const transport = http();
  const reader = createPublicClient({ chain, transport });
  const wallet = createWalletClient({ chain, transport, account });
  const provider = new JsonRpcProvider(devnet.rpcUrl, undefined, { cacheTimeout: -1 });
  let token;
  let transfer;

  before(async () => {
    const made = await reader.waitForTransactionReceipt({ hash: await wallet.deployContract({ abi, bytecode, args: [parseEther("1000")] }) });
    token = { address: made.contractAddress, abi };
    transfer = await wallet.writeContract({ ...token, functionName: "transfer", args: [fresh(), 7n] });
    await sealed(transfer);
  });

  test("viem: getProof", async () => {
    const proof = await reader.getProof({ address: token.address, storageKeys: [zeroHash, pad("0x2")] });
    assert.equal(proof.codeHash, keccak256(await reader.getCode(token)));
    assert.deepEqual(proof.storageProof.map((slot) => slot.value), [0n, parseEther("1000")]);
    const block = await reader.getBlock({ blockTag: "safe" });
    const root = await reader.getProof({ address: fresh(), storageKeys: [], blockNumber: block.number });
    assert.equal(keccak256(root.accountProof[0]), block.stateRoot);
    assert.equal(root.balance, 0n);
  });

  test("viem: createAccessList, and a transaction with it", async () => {
    const call = { account, to: token.address, data: encodeFunctionData({ ...token, functionName: "transfer", args: [fresh(), 1n] }) };
    const { accessList, gasUsed } = await reader.createAccessList(call);
    assert.deepEqual(accessList.map((entry) => entry.address), [token.address.toLowerCase()]);
    assert.equal(accessList[0].storageKeys.length, 2);
    const receipt = await reader.waitForTransactionReceipt({ hash: await wallet.sendTransaction({ ...call, accessList }) });
    assert.deepEqual([receipt.status, receipt.gasUsed], ["success", gasUsed]);
  });

  test("ethers: access list and proof by hand", async () => {
    const data = encodeFunctionData({ ...token, functionName: "transfer", args: [fresh(), 10n ** 30n] });
    const made = await provider.send("eth_createAccessList", [{ from: account.address, to: token.address, data }, "latest"]);
    assert.match(made.error, /execution reverted/);
    const proof = await provider.send("eth_getProof", [token.address, ["0x2"], "latest"]);
    assert.deepEqual([proof.storageProof[0].key, BigInt(proof.storageProof[0].value)], ["0x2", parseEther("1000")]);
  });

  test("viem: simulateCalls", async () => {
    const to = fresh();
    const at = { to: token.address, abi };
    const { results, assetChanges, block } = await reader.simulateCalls({
      account: account.address,
      traceAssetChanges: true,
      calls: [{ ...at, functionName: "transfer", args: [to, 5n] }, { to, value: parseEther("2") }, { ...at, functionName: "balanceOf", args: [to] }, { ...at, functionName: "explain" }],
    });
    assert.deepEqual(results.map((result) => result.status), ["success", "success", "success", "failure"]);
    assert.equal(results[2].result, 5n);
    assert.match(results[3].error.message, /no means no/);
    assert.ok(block.number > 0n);
    const changes = Object.fromEntries(assetChanges.map(({ token: { symbol }, value }) => [symbol, value.diff]));
    assert.deepEqual(changes, { ETH: -parseEther("2"), TEST: -5n });
    assert.equal(await reader.readContract({ ...token, functionName: "balanceOf", args: [to] }), 0n);
  });

  test("viem: simulateBlocks", async () => {
    const rich = fresh();
    const poor = fresh();
    const head = await reader.getBlock();
    const given = {
      blockOverrides: { time: head.timestamp + 1000n },
      stateOverrides: [{ address: rich, balance: parseEther("3") }],
      calls: [{ from: rich, to: poor, value: parseEther("2") }],
    };
    const beyond = { calls: [{ from: poor, to: rich, value: parseEther("9") }] };
    const refused = await reader.simulateBlocks({ blocks: [given, beyond] }).then(assert.fail, (e) => e);
    assert.ok(refused.walk((e) => e.name === "InsufficientFundsError"), refused);
    const blocks = await reader.simulateBlocks({
      blockNumber: head.number,
      blocks: [
        given,
        { calls: [{ from: poor, to: rich, value: parseEther("1") }] },
      ],
      traceTransfers: true,
    });
    assert.deepEqual(blocks.map((block) => block.number), [head.number + 1n, head.number + 2n]);
    assert.deepEqual([blocks[0].timestamp, blocks[0].parentHash], [head.timestamp + 1000n, head.hash]);
    assert.equal(blocks[0].calls[0].logs.length, 1);
    assert.equal(blocks[1].calls[0].status, "success");
    assert.equal(blocks[1].parentHash, blocks[0].hash);
  });

  test("ethers: eth_simulateV1 and debug_traceTransaction", async () => {
    const data = encodeFunctionData({ ...token, functionName: "symbol" });
    const [{ calls }] = await provider.send("eth_simulateV1", [{ blockStateCalls: [{ calls: [{ to: token.address, data }] }] }, "latest"]);
    assert.equal(decodeFunctionResult({ ...token, functionName: "symbol", data: calls[0].returnData }), "TEST");
    const trace = await provider.send("debug_traceTransaction", [transfer, { tracer: "callTracer" }]);
    assert.deepEqual([trace.type, trace.to], ["CALL", token.address.toLowerCase()]);
  });
});
