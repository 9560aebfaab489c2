// What is signed: EIP-712 typed data over the struct Flashblock.

import { concat, word } from "./hex.js";
import { keccak256 } from "./keccak.js";

export const NAME = "Rollup Sequencer";
export const VERSION = "1";

/** Names and types of the struct's members, in the order in which they are hashed. */
export const FLASHBLOCK_FIELDS = [
  ["epoch", "uint64"],
  ["term", "uint64"],
  ["reset", "uint32"],
  ["blockNumber", "uint64"],
  ["index", "uint32"],
  ["firstPosition", "uint32"],
  ["transactionCount", "uint32"],
  ["parent", "bytes32"],
  ["orderRoot", "bytes32"],
  ["outcomesRoot", "bytes32"],
  ["orderingPolicy", "bytes32"],
  ["timestampMs", "uint64"],
  ["postBy", "uint64"],
];

/** `types` for wallets and for viem's and ethers' `verifyTypedData`; the primary type is `Flashblock`. */
export const TYPES = { Flashblock: FLASHBLOCK_FIELDS.map(([name, type]) => ({ name, type })) };

const text = (string) => keccak256(new TextEncoder().encode(string));
const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)";
const FLASHBLOCK_TYPE = `Flashblock(${FLASHBLOCK_FIELDS.map(([name, type]) => `${type} ${name}`).join(",")})`;

/** The struct hash: the flashblock's identity, and the `parent` of the next one. */
export function structHash(flashblock) {
  return keccak256(concat(text(FLASHBLOCK_TYPE), ...FLASHBLOCK_FIELDS.map(([name]) => word(flashblock[name]))));
}

/** The 32 bytes that the sequencer's key signed. */
export function digest(domain, flashblock) {
  const { chainId, verifyingContract, salt } = domain;
  const members = [text(NAME), text(VERSION), word(chainId), word(verifyingContract), salt];
  const separator = keccak256(concat(text(DOMAIN_TYPE), ...members));
  return keccak256(concat(Uint8Array.of(0x19, 0x01), separator, structHash(flashblock)));
}
