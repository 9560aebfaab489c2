// The binary Merkle tree of flashblocks (protocol, section 1):
//   leaf = keccak256(0x00 || content)    node = keccak256(0x01 || left || right)    a lone node is carried up

import { concat, word } from "./hex.js";
import { keccak256 } from "./keccak.js";

/** The leaf for `hash` at `position` of the block: the content is abi.encode(uint32, bytes32). */
export function leaf(position, hash) {
  return keccak256(concat(Uint8Array.of(0), word(position), hash));
}

/**
 * The root that a branch leads to. On which side each sibling stands follows from index and count alone.
 * @param {Uint8Array} leafHash
 * @param {bigint} index of the leaf
 * @param {bigint} count of leaves
 * @param {Uint8Array[]} siblings from the leaf up
 * @returns {Uint8Array | null} null when the branch has not the length that index and count ask for
 */
export function rootFromBranch(leafHash, index, count, siblings) {
  if (index < 0n || index >= count) return null;
  let current = leafHash;
  let used = 0;
  for (; count > 1n; index >>= 1n, count = (count + 1n) >> 1n) {
    if ((index ^ 1n) >= count) continue;
    if (used === siblings.length) return null;
    const sibling = siblings[used++];
    const [left, right] = index & 1n ? [sibling, current] : [current, sibling];
    current = keccak256(concat(Uint8Array.of(1), left, right));
  }
  return used === siblings.length ? current : null;
}
