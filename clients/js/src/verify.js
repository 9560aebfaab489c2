// Verification of a pre-confirmation by anyone (protocol, sections 1 and 9), with nothing but the object itself.

import { digest } from "./eip712.js";
import { hexOf } from "./hex.js";
import { Malformed } from "./malformed.js";
import { leaf, rootFromBranch } from "./merkle.js";
import { parse } from "./parse.js";
import { recoverAddress } from "./secp256k1.js";

/** The names of the checks, in the order in which they are reported. */
export const CHECKS = ["signature", "member", "order", "outcome", "posted"];

/**
 * @typedef {object} Check
 * @property {string} name one of CHECKS
 * @property {boolean} ok false when the check does not hold
 * @property {string} reason why it does not hold; of a check that is ok, why it is open; else empty
 */

/**
 * Verify a pre-confirmation. Never throws for what is in `input`: if it is not a pre-confirmation, every check fails
 * and says which member is wrong. `posted` is always open here: it takes the data availability layer.
 * @param {string | object} input JSON text or parsed object, alone or inside the RPC's answer
 * @param {{chain?: import("./chain.js").KnownChain}} [known] without it the check `member` stays open
 * @returns {{valid: boolean, checks: Check[], preconfirmation?: object}}
 */
export function verify(input, { chain } = {}) {
  let preconfirmation;
  try {
    preconfirmation = parse(input);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return report(CHECKS.map((name) => check(name, `malformed: ${error.message}`)));
  }
  const { position, flashblock } = preconfirmation;
  const leadsTo = (hash, branch, root) => {
    const index = position - flashblock.firstPosition;
    const reached = rootFromBranch(leaf(position, hash), index, flashblock.transactionCount, branch);
    return reached !== null && hexOf(reached) === hexOf(root);
  };
  const { txHash, outcomeHash, orderBranch, outcomeBranch } = preconfirmation;
  const inOrder = leadsTo(txHash, orderBranch, flashblock.orderRoot);
  const inOutcomes = leadsTo(outcomeHash, outcomeBranch, flashblock.outcomesRoot);
  return report(
    [
      check("signature", signatureFault(preconfirmation)),
      chain ? check("member", memberFault(preconfirmation, chain)) : open("member", "no sequencer set at hand"),
      check("order", inOrder ? "" : "the branch does not lead to orderRoot"),
      check("outcome", inOutcomes ? "" : "the branch does not lead to outcomesRoot"),
      open("posted", "no data availability layer at hand"),
    ],
    preconfirmation,
  );
}

function signatureFault({ domain, flashblock, signer, signature }) {
  try {
    const recovered = recoverAddress(digest(domain, flashblock), signature);
    return recovered === hexOf(signer) ? "" : `signed by ${recovered}, not by the stated signer`;
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return error.message;
  }
}

function memberFault({ domain, flashblock, signer }, { domain: known = {}, epoch, members }) {
  for (const name of ["chainId", "verifyingContract", "salt"]) {
    const comparable = known[name] instanceof Uint8Array ? hexOf : String;
    if (name in known && comparable(known[name]) !== comparable(domain[name])) {
      return `made for another chain: domain.${name} differs`;
    }
  }
  if (epoch !== undefined && epoch !== flashblock.epoch) {
    return `the sequencer set at hand is of epoch ${epoch}, the promise of epoch ${flashblock.epoch}`;
  }
  return members.includes(hexOf(signer)) ? "" : `${hexOf(signer)} is not in the sequencer set`;
}

function check(name, fault) {
  return { name, ok: fault === "", reason: fault };
}

function open(name, missing) {
  return { name, ok: true, reason: `not checked: ${missing}` };
}

function report(checks, preconfirmation) {
  return { valid: checks.every(({ ok }) => ok), checks, ...(preconfirmation && { preconfirmation }) };
}
