// viem, as its users use it: over HTTP, over WebSocket, and with a chain definition that says that the chain
// pre-confirms, as viem's own definitions of such chains do; then every read is at `pending` by default.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  hashTypedData,
  http,
  parseEther,
  parseGwei,
  verifyTypedData,
  webSocket,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { MULTICALL3, contracts, devnet, fresh, sealed } from "./devnet.mjs";

const stock = defineChain({
  id: devnet.chainId,
  name: "devnet",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [devnet.rpcUrl], webSocket: [devnet.wsUrl] } },
  contracts: { multicall3: { address: MULTICALL3 } },
});
const { abi, bytecode } = contracts.Token;

/** Resolves when the client has asked for this method once more. */
const asking = new Map();
const seenAsking = (method) => new Promise((done) => asking.set(method, done));
const onFetchRequest = async (request) => {
  const { method } = JSON.parse(await request.clone().text());
  asking.get(method)?.();
};

const ways = [
  ["http", stock, http(devnet.rpcUrl, { onFetchRequest })],
  ["webSocket", stock, webSocket(devnet.wsUrl)],
  ["pre-confirming", { ...stock, experimental_preconfirmationTime: 20 }, http(devnet.rpcUrl, { batch: true })],
];

describe("viem", { concurrency: true }, () => {
  for (const [index, [name, chain, transport]] of ways.entries()) {
    describe(name, { concurrency: 1 }, () => {
      const account = privateKeyToAccount(devnet.accounts[index].privateKey);
      const reader = createPublicClient({ chain, transport, pollingInterval: 50 });
      const wallet = createWalletClient({ chain, transport, account });
      const receiptOf = (hash) => reader.waitForTransactionReceipt({ hash });
      let token;

      test("connect", async () => {
        assert.equal(await reader.getChainId(), devnet.chainId);
        const block = await reader.getBlock();
        assert.ok(block.baseFeePerGas > 0n);
        assert.equal((await reader.getBlock({ blockTag: "pending" })).number > 0n, true);
        assert.ok((await reader.getFeeHistory({ blockCount: 4, rewardPercentiles: [10, 50.5] })).baseFeePerGas.length > 1);
        assert.ok((await reader.estimateFeesPerGas()).maxFeePerGas > block.baseFeePerGas);
        assert.deepEqual(await wallet.getAddresses(), [account.address]);
      });

      for (const [kind, fields] of [
        ["defaults", {}],
        ["legacy", { type: "legacy", gasPrice: parseGwei("3") }],
        ["eip2930", { type: "eip2930", gasPrice: parseGwei("3"), accessList: [{ address: fresh(), storageKeys: [`0x${"22".repeat(32)}`] }] }],
        ["eip1559", { type: "eip1559", maxFeePerGas: parseGwei("9"), maxPriorityFeePerGas: parseGwei("1") }],
      ]) {
        test(`send ${kind}`, async () => {
          const to = fresh();
          const hash = await wallet.sendTransaction({ to, value: parseEther("1"), ...fields });
          const receipt = await receiptOf(hash);
          assert.equal(receipt.status, "success");
          assert.equal(await reader.getBalance({ address: to, blockTag: "pending" }), parseEther("1"));
          const sent = await reader.getTransaction({ hash });
          assert.equal(sent.to, to);
          if (fields.type) assert.equal(sent.type, fields.type);
        });
      }

      test("deploy, estimate, write and read at once", async () => {
        const hash = await wallet.deployContract({ abi, bytecode, args: [parseEther("1000")] });
        const receipt = await receiptOf(hash);
        assert.equal(receipt.status, "success");
        token = { address: receipt.contractAddress, abi };
        const to = fresh();
        const gas = await reader.estimateContractGas({ ...token, functionName: "transfer", args: [to, 7n], account });
        assert.ok(gas > 21_000n);
        const sent = await wallet.writeContract({ ...token, functionName: "transfer", args: [to, 7n] });
        assert.equal((await receiptOf(sent)).status, "success");
        assert.equal(await reader.readContract({ ...token, functionName: "balanceOf", args: [to], blockTag: "pending" }), 7n);
        assert.equal(await reader.readContract({ ...token, functionName: "balanceOf", args: [to] }), 7n);
        const [symbol, supply] = await reader.multicall({
          contracts: [{ ...token, functionName: "symbol" }, { ...token, functionName: "totalSupply" }],
          allowFailure: false,
        });
        assert.deepEqual([symbol, supply], ["TEST", parseEther("1000")]);
        await sealed(sent);
        const logs = await reader.getContractEvents({ ...token, eventName: "Transfer", args: { to }, fromBlock: receipt.blockNumber });
        assert.deepEqual(logs.map((log) => [log.args.value, log.transactionHash]), [[7n, sent]]);
      });

      test("simulate before a write", async () => {
        const { request, result } = await reader.simulateContract({ ...token, functionName: "transfer", args: [fresh(), 1n], account });
        assert.equal(result, true);
        assert.equal((await receiptOf(await wallet.writeContract(request))).status, "success");
      });

      test("reverts carry reason and custom error", async () => {
        const reverted = async (functionName, args, call) => {
          const error = await call({ ...token, functionName, args, account }).then(assert.fail, (e) => e);
          assert.ok(error instanceof BaseError, error);
          return error.walk((e) => e instanceof ContractFunctionRevertedError);
        };
        assert.equal((await reverted("explain", [], reader.readContract)).reason, "no means no");
        const custom = await reverted("refuse", [3n], reader.readContract);
        assert.deepEqual([custom.data.errorName, custom.data.args[1]], ["Refused", 3n]);
        const writing = await reverted("transfer", [fresh(), 10n ** 30n], wallet.writeContract);
        assert.equal(writing.data.errorName, "ERC20InsufficientBalance");
        const forced = await wallet.writeContract({ ...token, functionName: "transfer", args: [fresh(), 10n ** 30n], gas: 100_000n });
        assert.equal((await receiptOf(forced)).status, "reverted");
      });

      test("refusals are recognised", async () => {
        const poor = createWalletClient({ chain, transport, account: privateKeyToAccount(generatePrivateKey()) });
        const send = (from, fields) => from.sendTransaction({ to: fresh(), gas: 21_000n, maxFeePerGas: parseGwei("9"), maxPriorityFeePerGas: 1n, ...fields });
        const names = async (promise) => {
          const error = await promise.then(assert.fail, (e) => e);
          const found = [];
          error.walk((e) => void found.push(e.name));
          return found;
        };
        assert.ok((await names(send(poor, { value: 1n, nonce: 0 }))).includes("InsufficientFundsError"));
        assert.ok((await names(send(wallet, { nonce: 0 }))).includes("NonceTooLowError"));
        assert.ok((await names(send(wallet, { gas: 20_999n }))).includes("IntrinsicGasTooLowError"));
        const nonce = await reader.getTransactionCount({ address: account.address, blockTag: "pending" });
        assert.equal(typeof nonce, "number");
      });

      test("replace by fee, and cancel", async () => {
        const payer = privateKeyToAccount(generatePrivateKey());
        const from = createWalletClient({ chain, transport, account: payer });
        await wallet.sendTransactionSync({ to: payer.address, value: parseEther("1") });
        // With a gap before it the transaction waits in the pool, where it can still be replaced.
        const fees = (gwei) => ({ maxFeePerGas: parseGwei(gwei), maxPriorityFeePerGas: parseGwei("1"), gas: 21_000n });
        const to = fresh();
        const first = await from.sendTransaction({ to, value: 1n, nonce: 1, ...fees("5") });
        assert.equal((await reader.getTransaction({ hash: first })).blockNumber, null);
        const cheap = await from.sendTransaction({ to, value: 2n, nonce: 1, ...fees("5.1") }).then(assert.fail, (e) => e);
        assert.match(cheap.details ?? cheap.message, /replacement transaction underpriced/);
        const replacements = [];
        const watched = name === "http" && seenAsking("eth_getTransactionByHash");
        const waiting = reader.waitForTransactionReceipt({ hash: first, onReplaced: ({ reason }) => replacements.push(reason) });
        await watched; // the wait must know what it waits for before that is replaced
        await new Promise((done) => setTimeout(done, 100));
        const cancelling = await from.sendTransaction({ to: payer.address, value: 0n, nonce: 1, maxFeePerGas: parseGwei("10"), maxPriorityFeePerGas: parseGwei("2"), gas: 21_000n });
        await from.sendTransaction({ to, value: 3n, nonce: 0, ...fees("5") });
        const receipt = await waiting;
        assert.equal(receipt.transactionHash, cancelling);
        assert.deepEqual(replacements, ["cancelled"]);
        assert.equal(await reader.getBalance({ address: to, blockTag: "pending" }), 3n);
      });

      test("sendTransactionSync answers with receipt and promise", async () => {
        const hash = await wallet.sendTransactionSync({ to: fresh(), value: 1n });
        assert.equal(hash.status, "success");
        const prepared = await wallet.prepareTransactionRequest({ to: fresh(), value: 1n });
        const raw = await wallet.signTransaction(prepared);
        const receipt = await reader.sendRawTransactionSync({ serializedTransaction: raw });
        assert.equal(receipt.status, "success");
        const promise = await reader.request({ method: "sequencer_getPreconfirmation", params: [receipt.transactionHash] });
        assert.equal(promise.txHash, receipt.transactionHash);
        const numeric = ["uint64", "uint32"];
        const fields = "epoch:uint64 term:uint64 reset:uint32 blockNumber:uint64 index:uint32 firstPosition:uint32 transactionCount:uint32 parent:bytes32 orderRoot:bytes32 outcomesRoot:bytes32 orderingPolicy:bytes32 timestampMs:uint64 postBy:uint64";
        const types = { Flashblock: fields.split(" ").map((f) => ({ name: f.split(":")[0], type: f.split(":")[1] })) };
        const message = Object.fromEntries(types.Flashblock.map(({ name: n, type }) => [n, numeric.includes(type) ? BigInt(promise.flashblock[n]) : promise.flashblock[n]]));
        const typed = { domain: promise.domain, types, primaryType: "Flashblock", message };
        assert.equal(hashTypedData(typed).length, 66);
        assert.equal(promise.signer.toLowerCase(), devnet.sequencer.toLowerCase());
        assert.ok(await verifyTypedData({ ...typed, address: promise.signer, signature: promise.signature }));
      });

      test("EIP-7702 delegation", async () => {
        const owner = privateKeyToAccount(generatePrivateKey());
        const delegating = createWalletClient({ chain, transport, account: owner });
        await wallet.sendTransactionSync({ to: owner.address, value: parseEther("1") });
        const authorization = await delegating.signAuthorization({ contractAddress: MULTICALL3, executor: "self" });
        const hash = await delegating.sendTransaction({ to: owner.address, authorizationList: [authorization], data: "0x42cbb15c" });
        const receipt = await receiptOf(hash);
        assert.deepEqual([receipt.status, receipt.type], ["success", "eip7702"]);
        const code = await reader.getCode({ address: owner.address, blockTag: "pending" });
        assert.equal(code, `0xef0100${MULTICALL3.slice(2).toLowerCase()}`);
        await sealed(hash);
        assert.equal((await reader.getDelegation({ address: owner.address })).toLowerCase(), MULTICALL3.toLowerCase());
        assert.equal((await reader.getTransaction({ hash })).authorizationList.length, 1);
      });

      test("watch blocks and logs", async () => {
        const seen = { blocks: [], logs: [], pending: [] };
        const stops = [];
        const both = new Promise((done, failed) => {
          const check = () => seen.blocks.length > 1 && seen.logs.length && seen.pending.length && done();
          stops.push(reader.watchBlocks({ onBlock: (block) => (seen.blocks.push(block.number), check()), onError: failed }));
          stops.push(reader.watchContractEvent({ ...token, eventName: "Transfer", onLogs: (logs) => (seen.logs.push(...logs), check()), onError: failed }));
          stops.push(reader.watchPendingTransactions({ onTransactions: (hashes) => (seen.pending.push(...hashes), check()), onError: failed }));
        });
        await reader.getBlockNumber();
        await new Promise((done) => setTimeout(done, 150)); // until the watchers have installed themselves
        const hash = await wallet.writeContract({ ...token, functionName: "transfer", args: [fresh(), 11n] });
        await both;
        for (const stop of stops) stop();
        assert.deepEqual([seen.logs[0].transactionHash, seen.logs[0].args.value], [hash, 11n]);
        assert.ok(seen.pending.includes(hash));
      });

      after(async () => {
        if (name === "webSocket") (await reader.transport.getRpcClient()).close();
      });
    });
  }
});
