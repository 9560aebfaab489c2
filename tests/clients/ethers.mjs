// ethers v6, as its users use it: over HTTP, where it sends batches and polls filters, and over WebSocket.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Contract, ContractFactory, JsonRpcProvider, NonceManager, Wallet, WebSocketProvider, isError, parseEther, parseUnits, verifyTypedData } from "ethers";
import { ETHER, MULTICALL3, ZERO_HASH, contracts, devnet, fresh, sealed } from "./devnet.mjs";

const { abi, bytecode } = contracts.Token;
// By default ethers reuses an answer for 250 ms, nonces too, which is longer than a transaction takes here; its own
// remedy for fast chains is this option.
const cacheTimeout = -1;
const ways = [
  ["http", () => new JsonRpcProvider(devnet.rpcUrl, undefined, { pollingInterval: 50, cacheTimeout })],
  ["webSocket", () => new WebSocketProvider(devnet.wsUrl, undefined, { cacheTimeout })],
];

describe("ethers", { concurrency: true }, () => {
  for (const [index, [name, connect]] of ways.entries()) {
    describe(name, { concurrency: 1 }, () => {
      let provider;
      let wallet;
      let token;

      before(() => {
        provider = connect();
        wallet = new Wallet(devnet.accounts[index].privateKey, provider);
      });
      after(() => provider.destroy());

      test("connect", async () => {
        assert.equal((await provider.getNetwork()).chainId, BigInt(devnet.chainId));
        assert.ok((await provider.getFeeData()).maxFeePerGas > 0n);
        assert.ok((await provider.getBlock("latest")).baseFeePerGas > 0n);
        assert.ok((await provider.getBalance(wallet.address)) > ETHER);
      });

      for (const [kind, type, fields] of [
        ["defaults", 2, {}],
        ["legacy", 0, { type: 0, gasPrice: parseUnits("3", "gwei") }],
        ["access list", 1, { type: 1, gasPrice: parseUnits("3", "gwei"), accessList: [[fresh(), [`0x${"22".repeat(32)}`]]] }],
        ["dynamic fee", 2, { type: 2, maxFeePerGas: parseUnits("9", "gwei"), maxPriorityFeePerGas: parseUnits("1", "gwei") }],
      ]) {
        test(`send ${kind}`, async () => {
          const to = fresh();
          const sent = await wallet.sendTransaction({ to, value: ETHER, ...fields });
          const receipt = await sent.wait();
          assert.deepEqual([receipt.status, receipt.type], [1, type]);
          assert.equal(await provider.getBalance(to), ETHER);
          assert.equal((await provider.getTransaction(sent.hash)).blockNumber, receipt.blockNumber);
        });
      }

      test("deploy and use at once", async () => {
        const factory = new ContractFactory(abi, bytecode, wallet);
        token = await factory.deploy(parseEther("1000"));
        const to = fresh();
        const sending = await token.transfer(to, 7n); // estimated and executed on top of the pre-confirmed deployment
        await token.waitForDeployment();
        const receipt = await sending.wait();
        assert.equal(receipt.status, 1);
        assert.equal(await token.balanceOf(to), 7n);
        assert.equal(await token.symbol(), "TEST");
        assert.ok((await token.transfer.estimateGas(to, 1n)) > 21_000n);
        assert.equal(await token.transfer.staticCall(to, 1n), true);
        await sealed(sending.hash); // log searches look at sealed blocks
        const found = await token.queryFilter(token.filters.Transfer(null, to), receipt.blockNumber);
        assert.deepEqual(found.map((event) => [event.args.value, event.transactionHash]), [[7n, sending.hash]]);
      });

      test("reverts carry reason and custom error", async () => {
        const refused = async (promise) => promise.then(assert.fail, (error) => error);
        const reason = await refused(token.explain());
        assert.ok(isError(reason, "CALL_EXCEPTION"), reason);
        assert.equal(reason.reason, "no means no");
        const custom = await refused(token.refuse(3n));
        assert.deepEqual([custom.revert.name, custom.revert.args[1]], ["Refused", 3n]);
        const writing = await refused(token.transfer(fresh(), 10n ** 30n));
        assert.equal(token.interface.parseError(writing.data).name, "ERC20InsufficientBalance");
        const forced = await token.transfer(fresh(), 10n ** 30n, { gasLimit: 100_000n });
        const failed = await refused(forced.wait());
        assert.deepEqual([failed.code, failed.receipt.status], ["CALL_EXCEPTION", 0]);
      });

      test("refusals are recognised", async () => {
        const code = async (promise) => promise.then(assert.fail, (error) => error.code);
        const fields = { to: fresh(), value: 1n, gasLimit: 21_000n };
        const poor = Wallet.createRandom(provider);
        assert.equal(await code(poor.sendTransaction({ ...fields, nonce: 0 })), "INSUFFICIENT_FUNDS");
        assert.equal(await code(wallet.sendTransaction({ ...fields, nonce: 0 })), "NONCE_EXPIRED");
      });

      test("replace by fee, and cancel", async () => {
        const payer = Wallet.createRandom(provider);
        await (await wallet.sendTransaction({ to: payer.address, value: ETHER })).wait();
        const fees = (gwei) => ({ maxFeePerGas: parseUnits(gwei, "gwei"), maxPriorityFeePerGas: parseUnits("1", "gwei"), gasLimit: 21_000n });
        const to = fresh();
        // With a gap before it the transaction waits in the pool, where it can still be replaced.
        const first = await payer.sendTransaction({ to, value: 1n, nonce: 1, ...fees("5") });
        const cheap = await payer.sendTransaction({ to, value: 2n, nonce: 1, ...fees("5.1") }).then(assert.fail, (e) => e);
        assert.equal(cheap.code, "REPLACEMENT_UNDERPRICED");
        const waiting = first.wait().then(assert.fail, (error) => error);
        const cancelling = await payer.sendTransaction({ to: payer.address, nonce: 1, ...fees("10"), maxPriorityFeePerGas: parseUnits("2", "gwei") });
        await payer.sendTransaction({ to, value: 3n, nonce: 0, ...fees("5") });
        const replaced = await waiting;
        assert.deepEqual([replaced.code, replaced.reason, replaced.cancelled], ["TRANSACTION_REPLACED", "cancelled", true]);
        assert.equal(replaced.replacement.hash, cancelling.hash);
      });

      test("many sends in a row", async () => {
        const sender = new NonceManager(wallet);
        const to = fresh();
        const sent = await Promise.all(Array.from({ length: 10 }, () => sender.sendTransaction({ to, value: 1n, gasLimit: 21_000n })));
        await Promise.all(sent.map((each) => each.wait()));
        assert.equal(await provider.getBalance(to), 10n);
      });

      test("EIP-7702 delegation", async () => {
        const owner = Wallet.createRandom(provider);
        await (await wallet.sendTransaction({ to: owner.address, value: ETHER })).wait();
        const authorization = await owner.authorize({ address: MULTICALL3, nonce: 1 });
        const receipt = await (await owner.sendTransaction({ type: 4, to: owner.address, authorizationList: [authorization], data: "0x42cbb15c" })).wait();
        assert.deepEqual([receipt.status, receipt.type], [1, 4]);
        assert.equal(await provider.getCode(owner.address), `0xef0100${MULTICALL3.slice(2).toLowerCase()}`);
      });

      test("sendRawTransactionSync and the promise", async () => {
        const raw = await wallet.signTransaction(await wallet.populateTransaction({ to: fresh(), value: 1n }));
        const receipt = await provider.send("eth_sendRawTransactionSync", [raw, 2000]);
        assert.equal(receipt.blockHash, ZERO_HASH);
        const { domain, flashblock, signature, signer } = receipt.preconfirmation;
        const fields = "epoch:uint64 term:uint64 reset:uint32 blockNumber:uint64 index:uint32 firstPosition:uint32 transactionCount:uint32 parent:bytes32 orderRoot:bytes32 outcomesRoot:bytes32 orderingPolicy:bytes32 timestampMs:uint64 postBy:uint64";
        const types = { Flashblock: fields.split(" ").map((field) => ({ name: field.split(":")[0], type: field.split(":")[1] })) };
        assert.equal(verifyTypedData(domain, types, flashblock, signature).toLowerCase(), signer);
        assert.notEqual((await sealed(receipt.transactionHash)).blockHash, ZERO_HASH);
      });

      test("watch blocks, logs and pending transactions", async () => {
        const pending = [];
        const heard = Promise.all([
          new Promise((done) => provider.once("block", done)),
          new Promise((done) => token.once("Transfer", (from, to, value, event) => done([value, event.log.transactionHash]))),
          provider.on("pending", (hash) => pending.push(hash)),
        ]);
        await new Promise((done) => setTimeout(done, 200)); // until the filters and subscriptions are installed
        const sending = await token.transfer(fresh(), 11n);
        const [block, transfer] = await heard;
        assert.ok(block > 0);
        assert.deepEqual(transfer, [11n, sending.hash]);
        while (!pending.includes(sending.hash)) await new Promise((done) => setTimeout(done, 20));
        await provider.removeAllListeners();
        await provider.getBlockNumber(); // it takes its subscriptions back behind our back
        await new Promise((done) => setTimeout(done, 100));
      });
    });
  }
});
