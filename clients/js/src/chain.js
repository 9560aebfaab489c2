// What a verifier may know about a chain: who sequences it, and the domain of its promises.

import { hexOf } from "./hex.js";
import { Malformed } from "./malformed.js";
import { data, has, parseDomain, quantity, readDocument } from "./parse.js";

const MEMBER_LIMIT = 256;

/**
 * @typedef {object} KnownChain
 * @property {string[]} members addresses of the sequencers, lower-case hex
 * @property {bigint} [epoch] of the set; not compared when absent
 * @property {{chainId?: bigint, verifyingContract?: Uint8Array, salt?: Uint8Array}} [domain] members that are known
 */

/**
 * A chain's sequencers from any of: the result of `sequencer_getSequencerSet` (or the JSON-RPC answer around it), the
 * chain's genesis file, `{domain, sequencers}` with results of `sequencer_rollupConfig` and `sequencer_getSequencerSet`,
 * or addresses separated by spaces, commas or line breaks.
 * @param {string | object} input
 * @returns {KnownChain}
 * @throws {Malformed} naming the member that is wrong
 */
export function parseChain(input) {
  if (typeof input === "string" && !/^\s*[[{]/.test(input)) {
    return { members: addresses(input.split(/[\s,]+/).filter(Boolean), "sequencers") };
  }
  let document = readDocument(input);
  if (has(document, "jsonrpc") && has(document, "result")) document = document.result;
  if (has(document, "rollup")) return fromGenesis(document);
  if (has(document, "domain")) {
    return { ...fromSet(document.sequencers), domain: parseDomain(document.domain, "domain") };
  }
  return fromSet(document);
}

function fromSet(document) {
  if (!has(document, "epoch") || !has(document, "members")) throw new Malformed("sequencers: no epoch and members");
  return { epoch: quantity(document.epoch, 64, "epoch"), members: addressesIn(document.members, "members") };
}

/** The genesis hash is left out: it takes the state root of all accounts, which is a node's work. */
function fromGenesis({ config, rollup }) {
  if (!Number.isSafeInteger(config?.chainId) || config.chainId < 0) throw new Malformed("config.chainId: not a number");
  const verifyingContract = data(rollup?.verifyingContract, 20, "rollup.verifyingContract");
  const members = addressesIn(rollup.sequencers, "rollup.sequencers");
  return { epoch: 0n, members, domain: { chainId: BigInt(config.chainId), verifyingContract } };
}

function addressesIn(list, path) {
  if (!Array.isArray(list)) throw new Malformed(`${path}: not a list`);
  return addresses(
    list.map((member) => member?.address),
    path,
  );
}

function addresses(list, path) {
  if (list.length === 0 || list.length > MEMBER_LIMIT) throw new Malformed(`${path}: not 1 to ${MEMBER_LIMIT} addresses`);
  return list.map((address, at) => hexOf(data(address, 20, `${path}[${at}]`)));
}
