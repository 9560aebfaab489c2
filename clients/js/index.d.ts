/** One of the five checks. `ok` with a reason: nothing speaks against it, and the reason says why it is open. */
export interface Check {
  name: "signature" | "member" | "order" | "outcome" | "posted";
  ok: boolean;
  reason: string;
}

/** A parsed pre-confirmation: integers as bigint, hashes, addresses and the signature as bytes. */
export interface Preconfirmation {
  domain: { chainId: bigint; verifyingContract: Uint8Array; salt: Uint8Array };
  txHash: Uint8Array;
  position: bigint;
  outcomeHash: Uint8Array;
  flashblock: Flashblock;
  signer: Uint8Array;
  signature: Uint8Array;
  orderBranch: Uint8Array[];
  outcomeBranch: Uint8Array[];
}

export interface Flashblock {
  epoch: bigint;
  term: bigint;
  reset: bigint;
  blockNumber: bigint;
  index: bigint;
  firstPosition: bigint;
  transactionCount: bigint;
  parent: Uint8Array;
  orderRoot: Uint8Array;
  outcomesRoot: Uint8Array;
  orderingPolicy: Uint8Array;
  timestampMs: bigint;
  postBy: bigint;
}

/** What a verifier knows about a chain. `epoch` and members of `domain` are compared where they are given. */
export interface KnownChain {
  members: string[];
  epoch?: bigint;
  domain?: { chainId?: bigint; verifyingContract?: Uint8Array; salt?: Uint8Array };
}

export interface Verification {
  /** No check fails; some may be open. */
  valid: boolean;
  checks: Check[];
  /** Absent when the input is not a pre-confirmation. */
  preconfirmation?: Preconfirmation;
}

/** Text or bytes that are not what they should be. */
export class Malformed extends Error {}

export const CHECKS: readonly Check["name"][];

/** `types` for `verifyTypedData` of viem and ethers; the primary type is `Flashblock`. */
export const TYPES: { Flashblock: { name: string; type: string }[] };

/** Verify a pre-confirmation: JSON text or object, alone or inside the RPC's answer. Never throws for its content. */
export function verify(input: string | object, known?: { chain?: KnownChain }): Verification;

/** Read a pre-confirmation strictly. Throws `Malformed` naming the member that is wrong. */
export function parse(input: string | object): Preconfirmation;

/** A chain's sequencers from `sequencer_getSequencerSet`, a genesis file, or a list of addresses. */
export function parseChain(input: string | object): KnownChain;

/** The 32 bytes that the sequencer's key signed. */
export function digest(domain: Preconfirmation["domain"], flashblock: Flashblock): Uint8Array;

/** The struct hash of a flashblock: its identity, and the `parent` of the next one. */
export function structHash(flashblock: Flashblock): Uint8Array;
