// Strict reading of JSON, with the same rules and words as the node's own reader (sequencer/core/preconf_json.py):
// every member exactly in the form in which it is written, and none that the format does not name.

import { FLASHBLOCK_FIELDS, NAME, VERSION } from "./eip712.js";
import { bytesOf } from "./hex.js";
import { Malformed } from "./malformed.js";

/** Characters. A bare pre-confirmation has less than 8,000; a receipt around it may have long logs. */
export const TEXT_LIMIT = 1024 * 1024;
/** A flashblock has fewer than 2^32 transactions, so no branch is longer. */
export const BRANCH_LIMIT = 32;

const MEMBERS = [
  "domain",
  "chainId",
  "txHash",
  "position",
  "outcomeHash",
  "flashblock",
  "orderBranch",
  "outcomeBranch",
  "signer",
  "signature",
];
const DOMAIN_MEMBERS = ["name", "version", "chainId", "verifyingContract", "salt"];

/**
 * The pre-confirmation in a JSON text or parsed object: on its own, in a receipt of `eth_sendRawTransactionSync`,
 * or in the JSON-RPC answer around either. Integers come out as bigint, everything else as bytes.
 * @throws {Malformed} naming the member that is wrong
 */
export function parse(input) {
  const members = object(unwrap(readDocument(input)), MEMBERS, "");
  const domain = parseDomain(members.domain, "domain");
  if (quantity(members.chainId, 256, "chainId") !== domain.chainId) {
    throw new Malformed("chainId: differs from domain.chainId");
  }
  return {
    domain,
    txHash: data(members.txHash, 32, "txHash"),
    position: quantity(members.position, 32, "position"),
    outcomeHash: data(members.outcomeHash, 32, "outcomeHash"),
    flashblock: flashblock(members.flashblock),
    signer: data(members.signer, 20, "signer"),
    signature: data(members.signature, 65, "signature"),
    orderBranch: branch(members.orderBranch, "orderBranch"),
    outcomeBranch: branch(members.outcomeBranch, "outcomeBranch"),
  };
}

/** The JSON value of a text of bounded size; what is not a text is taken to be parsed already. */
export function readDocument(input) {
  if (typeof input !== "string") return input;
  if (input.length > TEXT_LIMIT) throw new Malformed(`longer than ${TEXT_LIMIT} characters`);
  try {
    return JSON.parse(input);
  } catch {
    throw new Malformed("not JSON");
  }
}

/** What users have at hand around a result: a JSON-RPC answer, a receipt with its promise. Goes inwards. */
export function unwrap(document) {
  if (has(document, "jsonrpc") && has(document, "result")) document = document.result;
  if (has(document, "preconfirmation")) document = document.preconfirmation;
  return document;
}

/** The EIP-712 domain of a chain, as `sequencer_rollupConfig` gives it too. */
export function parseDomain(document, path) {
  const members = object(document, DOMAIN_MEMBERS, `${path}.`);
  if (members.name !== NAME) throw new Malformed(`${path}.name: not "${NAME}"`);
  if (members.version !== VERSION) throw new Malformed(`${path}.version: not "${VERSION}"`);
  return {
    chainId: quantity(members.chainId, 256, `${path}.chainId`),
    verifyingContract: data(members.verifyingContract, 20, `${path}.verifyingContract`),
    salt: data(members.salt, 32, `${path}.salt`),
  };
}

/** A minimal hex quantity of at most `bits` bits, as a bigint. */
export function quantity(value, bits, path) {
  const fits = typeof value === "string" && /^0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})$/.test(value);
  if (!fits || BigInt(value) >> BigInt(bits)) throw new Malformed(`${path}: not a hex quantity of at most ${bits} bits`);
  return BigInt(value);
}

/** Exactly `size` bytes of hex in any letter case. */
export function data(value, size, path) {
  if (typeof value !== "string" || value.length !== 2 + 2 * size || !/^0x[0-9a-fA-F]*$/.test(value)) {
    throw new Malformed(`${path}: not ${size} bytes of hex`);
  }
  return bytesOf(value);
}

/** Whether `document` is an object that has the member `name`. */
export function has(document, name) {
  return typeof document === "object" && document !== null && !Array.isArray(document) && Object.hasOwn(document, name);
}

function flashblock(document) {
  const members = object(document, FLASHBLOCK_FIELDS.map(([name]) => name), "flashblock.");
  const values = FLASHBLOCK_FIELDS.map(([name, type]) => {
    const path = `flashblock.${name}`;
    const value = members[name];
    return [name, type === "bytes32" ? data(value, 32, path) : quantity(value, Number(type.slice(4)), path)];
  });
  return Object.fromEntries(values);
}

function branch(value, path) {
  if (!Array.isArray(value) || value.length > BRANCH_LIMIT) {
    throw new Malformed(`${path}: not a list of at most ${BRANCH_LIMIT} hashes`);
  }
  return value.map((sibling, at) => data(sibling, 32, `${path}[${at}]`));
}

/** `document` if it is an object with exactly these members. */
function object(document, names, prefix) {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new Malformed(`${prefix.slice(0, -1) || "pre-confirmation"}: not an object`);
  }
  for (const name of names) {
    if (!Object.hasOwn(document, name)) throw new Malformed(`${prefix}${name}: missing`);
  }
  for (const name of Object.keys(document).sort()) {
    const shown = /^[A-Za-z0-9_]{1,40}$/.test(name) ? name : "?";
    if (!names.includes(name)) throw new Malformed(`${prefix}${shown}: unknown member`);
  }
  return document;
}
