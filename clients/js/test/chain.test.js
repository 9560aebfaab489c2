// What a user may hand in about a chain, and what a promise is then held to.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Malformed, parse, parseChain, verify } from "../src/index.js";

const promise = JSON.parse(readFileSync(new URL("../../../sequencer/web/page/example.json", import.meta.url), "utf8"));
const { signer, domain } = promise;
const OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const set = { epoch: "0x0", quorum: "0x1", members: [{ address: signer, feeRecipient: OTHER }] };
const genesis = {
  config: { chainId: Number(domain.chainId), pragueTime: 0 },
  rollup: { verifyingContract: domain.verifyingContract, sequencers: set.members },
  alloc: {},
};
const member = (chain) => verify(promise, { chain: parseChain(chain) }).checks[1];

for (const [name, chain] of Object.entries({
  "one address": signer,
  "addresses in any case and spacing": ` ${OTHER},\n${signer.replace(/[a-f]/g, (digit) => digit.toUpperCase())} `,
  "a sequencer set": set,
  "a sequencer set as text": JSON.stringify(set),
  "an answer": { jsonrpc: "2.0", id: 1, result: set },
  "a genesis file": JSON.stringify(genesis, null, 2),
  "rollup config and set": { domain, sequencers: set },
})) {
  test(`the signer is found in ${name}`, () => {
    assert.deepEqual(member(chain), { name: "member", ok: true, reason: "" });
  });
}

for (const [reason, chain] of [
  [`${signer} is not in the sequencer set`, OTHER],
  ["the sequencer set at hand is of epoch 3, the promise of epoch 0", { ...set, epoch: "0x3" }],
  ["made for another chain: domain.chainId differs", { ...genesis, config: { chainId: 1 } }],
  [
    "made for another chain: domain.verifyingContract differs",
    { ...genesis, rollup: { ...genesis.rollup, verifyingContract: OTHER } },
  ],
  [
    "made for another chain: domain.salt differs",
    { domain: { ...domain, salt: `0x${"00".repeat(32)}` }, sequencers: set },
  ],
]) {
  test(`the promise is refused: ${reason}`, () => {
    assert.deepEqual(member(chain), { name: "member", ok: false, reason });
  });
}

for (const [message, chain] of [
  ["sequencers: not 1 to 256 addresses", ""],
  ["sequencers[1]: not 20 bytes of hex", `${signer} 0x12`],
  ["not JSON", "{"],
  ["sequencers: no epoch and members", "[]"],
  ["sequencers: no epoch and members", null],
  ["members: not a list", { ...set, members: signer }],
  ["members[0]: not 20 bytes of hex", { ...set, members: [signer] }],
  ["members: not 1 to 256 addresses", { ...set, members: [] }],
  ["epoch: not a hex quantity of at most 64 bits", { ...set, epoch: 0 }],
  ["config.chainId: not a number", { ...genesis, config: {} }],
  ["rollup.sequencers: not a list", { ...genesis, rollup: { ...genesis.rollup, sequencers: undefined } }],
  ["rollup.verifyingContract: not 20 bytes of hex", { ...genesis, rollup: null }],
]) {
  test(`it is no chain: ${message}`, () => {
    assert.throws(() => parseChain(chain), new Malformed(message));
  });
}

test("what is read is in numbers and bytes", () => {
  const { position, flashblock, txHash, orderBranch } = parse(promise);
  assert.deepEqual([position, flashblock.blockNumber, flashblock.transactionCount], [3n, 1846n, 5n]);
  assert.deepEqual([txHash.length, orderBranch.length], [32, 3]);
});

test("a programming error is not taken for a bad promise", () => {
  assert.throws(() => verify(promise, { chain: { members: null } }), TypeError);
});
