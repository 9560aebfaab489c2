// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// What sequencers sign, and the proofs that are made of it. Field for field the EIP-712 types of the protocol: a field
/// that were left out here could not be hashed, and one that were added would make every honest signature void.

/// @notice What a signature is good for: one rollup, told by its chain id and genesis hash.
/// @dev Name and version are constants of `EvidenceLib`. The separator is always computed here and never taken as an
///      argument: otherwise a signature that was made for something else could be passed off as one of a sequencer.
struct Domain {
    uint256 chainId;
    address verifyingContract;
    bytes32 genesisHash;
}

/// @notice A promise: a run of consecutive transactions of one block. Its place is (`blockNumber`, `index`).
struct Flashblock {
    uint64 epoch;
    uint64 term;
    uint32 reset;
    uint64 blockNumber;
    uint32 index;
    uint32 firstPosition;
    uint32 transactionCount;
    bytes32 parent;
    bytes32 orderRoot;
    bytes32 outcomesRoot;
    bytes32 orderingPolicy;
    uint64 timestampMs;
    uint64 postBy;
}

/// @notice The identity of a run of blocks on the data availability layer.
struct BatchHeader {
    uint64 epoch;
    uint64 term;
    uint32 reset;
    uint64 sequence;
    bytes32 previousBatch;
    uint64 firstBlock;
    uint64 lastBlock;
    bytes32 lastBlockHash;
    bytes32 stateRoot;
    bytes32 flashblocksRoot;
    uint32 flashblockCount;
    bytes32 dataHash;
}

/// @notice A flashblock under one signature: 65 bytes, r || s || v.
struct SignedFlashblock {
    Flashblock flashblock;
    bytes signature;
}

/// @notice A batch header under one signature: 65 bytes, r || s || v.
struct SignedBatchHeader {
    BatchHeader header;
    bytes signature;
}

/// @notice A leaf of a batch's `flashblocksRoot` with the way from it to the root.
/// @dev `branch` lists the siblings from the leaf up; their sides follow from `position` and the number of leaves.
struct PlaceLeaf {
    uint32 position;
    uint64 blockNumber;
    uint32 index;
    bytes32 structHash;
    bytes32[] branch;
}

/// @notice E1: two flashblocks of one key that are not on one chain.
/// @dev The halves may come in either order. `links` are the unsigned ancestors of the later half, newest first, up to
///      and including the first one that does not stand above the earlier half. `root` is only needed where the later
///      half's chain begins above the earlier half and not with the genesis block: the bytes that its oldest ancestor's
///      `parent` is the hash of, which is a block header.
struct Equivocation {
    Domain domain;
    SignedFlashblock a;
    SignedFlashblock b;
    Flashblock[] links;
    bytes root;
}

/// @notice E2: a promise, and a batch of the same key that covers its block and says otherwise.
/// @dev One leaf with another hash at the promise's place; or two adjacent leaves with the place between them; or the
///      first leaf above it; or the last leaf below it; or no leaf if the batch claims to hold no flashblock at all.
struct ContradictedPromise {
    Domain domain;
    SignedFlashblock promised;
    SignedBatchHeader batch;
    PlaceLeaf[] leaves;
}

/// @notice E3: two batch headers of one key with one sequence number.
struct DoubleBatch {
    Domain domain;
    SignedBatchHeader a;
    SignedBatchHeader b;
}

/// @notice The faults that signed objects alone can prove. The numbers are part of every evidence id.
enum Fault {
    None,
    Equivocation,
    ContradictedPromise,
    DoubleBatch
}

/// @notice The signature is not 65 bytes with `s` in the lower half and `v` 27 or 28, or no key made it.
error BadSignature();
/// @notice The halves are not under one key.
error DifferentSigners(address a, address b);
/// @notice The halves are of different resets, and a reset is the one event that undoes promises.
error DifferentResets();
/// @notice Both halves are the same object: signing it again says nothing new.
error SameObject();
/// @notice The ancestor at this position in `links` is not the one that the object before it names.
error BrokenLink(uint256 position);
/// @notice There are ancestors beyond the first one that decides, or a root that decides nothing.
error NeedlessLinks();
/// @notice The later half descends from the earlier one, as it should.
error OnOneChain();
/// @notice The ancestors end above the earlier half, and nothing shows what is below them.
error Unlinked();
/// @notice The batch does not cover the block of the promise.
error NotCovered();
/// @notice The batch holds the very flashblock that was promised.
error PromiseKept();
/// @notice The branch of the leaf at this position in `leaves` does not lead to `flashblocksRoot`.
error BadBranch(uint256 position);
/// @notice The leaves neither show another hash at the promise's place nor leave no room for it.
error NotOmitted();
/// @notice The batches have different sequence numbers.
error DifferentSequences();
