// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./EvidenceTypes.sol";

/// @title Proofs of faults from signed objects alone
/// @notice Every function returns who is at fault and the id of the evidence, or reverts with the reason why nothing is
///         proven. What makes the proofs sound is what a correct sequencer keeps: all flashblocks that it signs within
///         one reset are on one chain whose places ascend, the indexes of a block are counted without gaps, every batch
///         header it signs holds exactly the flashblocks of its blocks in order, and it signs one header a sequence
///         number. `docs/evidence.md` derives from these that no correct sequencer can be convicted.
/// @dev Pure, so that anyone can ask with `eth_call` before paying for a report.
library EvidenceLib {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)");
    bytes32 internal constant NAME_HASH = keccak256("Rollup Sequencer");
    bytes32 internal constant VERSION_HASH = keccak256("1");
    bytes32 internal constant FLASHBLOCK_TYPEHASH = keccak256(
        "Flashblock(uint64 epoch,uint64 term,uint32 reset,uint64 blockNumber,uint32 index,uint32 firstPosition,uint32 transactionCount,bytes32 parent,bytes32 orderRoot,bytes32 outcomesRoot,bytes32 orderingPolicy,uint64 timestampMs,uint64 postBy)"
    );
    bytes32 internal constant BATCH_HEADER_TYPEHASH = keccak256(
        "BatchHeader(uint64 epoch,uint64 term,uint32 reset,uint64 sequence,bytes32 previousBatch,uint64 firstBlock,uint64 lastBlock,bytes32 lastBlockHash,bytes32 stateRoot,bytes32 flashblocksRoot,uint32 flashblockCount,bytes32 dataHash)"
    );

    /// @dev Of an encoded flashblock: the type hash and 13 words.
    uint256 private constant FLASHBLOCK_ENCODING_BYTES = 448;
    /// @dev Half of the curve's order. Above it lies the second signature that anyone can make out of a first one.
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    // -------------------------------------------------------------------------------------------------- the faults

    /// @notice E1. Walks from the later half towards the earlier one and finds something else where it should stand.
    function equivocation(Equivocation calldata e) internal pure returns (bytes32 id, address offender) {
        bytes32 separator = domainSeparator(e.domain);
        bytes32 hashA = structHash(e.a.flashblock);
        bytes32 hashB = structHash(e.b.flashblock);
        if (hashA == hashB) revert SameObject();
        if (e.a.flashblock.reset != e.b.flashblock.reset) revert DifferentResets();
        offender = recover(separator, hashA, e.a.signature);
        _requireSame(offender, recover(separator, hashB, e.b.signature));

        uint256 placeA = _place(e.a.flashblock);
        uint256 placeB = _place(e.b.flashblock);
        bool rootDecides = false;
        if (placeA == placeB) {
            if (e.links.length != 0) revert NeedlessLinks();
        } else if (placeA < placeB) {
            rootDecides = _requireFork(e.a.flashblock, hashA, e.b.flashblock, e);
        } else {
            rootDecides = _requireFork(e.b.flashblock, hashB, e.a.flashblock, e);
        }
        if (!rootDecides && e.root.length != 0) revert NeedlessLinks();
        id = hashA < hashB
            ? evidenceId(Fault.Equivocation, separator, offender, hashA, hashB)
            : evidenceId(Fault.Equivocation, separator, offender, hashB, hashA);
    }

    /// @notice E2. The batch covers the promise's block and holds another flashblock at its place, or none.
    function contradictedPromise(ContradictedPromise calldata e) internal pure returns (bytes32 id, address offender) {
        bytes32 separator = domainSeparator(e.domain);
        Flashblock calldata promised = e.promised.flashblock;
        BatchHeader calldata header = e.batch.header;
        bytes32 promiseHash = structHash(promised);
        bytes32 headerHash = structHash(header);
        if (promised.reset != header.reset) revert DifferentResets();
        if (promised.blockNumber < header.firstBlock || promised.blockNumber > header.lastBlock) revert NotCovered();
        offender = recover(separator, promiseHash, e.promised.signature);
        _requireSame(offender, recover(separator, headerHash, e.batch.signature));
        _requireContradiction(_place(promised), promiseHash, header, e.leaves);
        id = evidenceId(Fault.ContradictedPromise, separator, offender, promiseHash, headerHash);
    }

    /// @notice E3. Two headers of one key are numbered alike and differ.
    function doubleBatch(DoubleBatch calldata e) internal pure returns (bytes32 id, address offender) {
        bytes32 separator = domainSeparator(e.domain);
        bytes32 hashA = structHash(e.a.header);
        bytes32 hashB = structHash(e.b.header);
        if (hashA == hashB) revert SameObject();
        if (e.a.header.reset != e.b.header.reset) revert DifferentResets();
        if (e.a.header.sequence != e.b.header.sequence) revert DifferentSequences();
        offender = recover(separator, hashA, e.a.signature);
        _requireSame(offender, recover(separator, hashB, e.b.signature));
        id = hashA < hashB
            ? evidenceId(Fault.DoubleBatch, separator, offender, hashA, hashB)
            : evidenceId(Fault.DoubleBatch, separator, offender, hashB, hashA);
    }

    // ------------------------------------------------------------------------------------------------ chain and tree

    /// @dev The walk. An ancestor between the halves says nothing yet; the first one that is not between them decides:
    ///      on a correct chain it is the earlier half itself, because places ascend and no reset lies in between.
    ///      Signatures of the ancestors are of no interest, since their hashes stand in what the offender signed.
    ///      Returns whether it took the root to decide.
    function _requireFork(
        Flashblock calldata earlier,
        bytes32 earlierHash,
        Flashblock calldata later,
        Equivocation calldata e
    ) private pure returns (bool rootDecides) {
        uint256 target = _place(earlier);
        Flashblock calldata current = later;
        for (uint256 i = 0; i < e.links.length; ++i) {
            Flashblock calldata link = e.links[i];
            bytes32 linkHash = structHash(link);
            if (linkHash != current.parent) revert BrokenLink(i);
            if (_place(link) <= target || link.reset != earlier.reset) {
                if (linkHash == earlierHash) revert OnOneChain();
                if (i + 1 != e.links.length) revert NeedlessLinks();
                return false;
            }
            current = link;
        }
        bytes32 parent = current.parent;
        if (parent == earlierHash) revert OnOneChain();
        // Indexes have no gaps, so the parent's place is known without its preimage, which an offender might withhold.
        if (current.blockNumber == earlier.blockNumber && current.index == uint256(earlier.index) + 1) return false;
        // The chain begins here, above the earlier half.
        if (parent == e.domain.genesisHash) return false;
        if (!_isForeignPreimage(parent, e.root)) revert Unlinked();
        return true;
    }

    /// @dev True if `hash` is of something that is not a flashblock: then nothing of the promise chain lies below it.
    function _isForeignPreimage(bytes32 hash, bytes calldata preimage) private pure returns (bool) {
        if (keccak256(preimage) != hash) return false;
        return preimage.length != FLASHBLOCK_ENCODING_BYTES || bytes32(preimage[:32]) != FLASHBLOCK_TYPEHASH;
    }

    /// @dev Whatever the order of the leaves is, a place that none of them has lies before the first, after the last, or
    ///      between two neighbours: so an offender cannot escape by shuffling them.
    function _requireContradiction(
        uint256 target,
        bytes32 promiseHash,
        BatchHeader calldata header,
        PlaceLeaf[] calldata leaves
    ) private pure {
        uint256 count = header.flashblockCount;
        if (leaves.length == 0) {
            if (count != 0) revert NotOmitted();
            return;
        }
        for (uint256 i = 0; i < leaves.length; ++i) {
            PlaceLeaf calldata leaf = leaves[i];
            bytes32 leafHash =
                keccak256(bytes.concat(hex"00", abi.encode(leaf.blockNumber, leaf.index, leaf.structHash)));
            if (!_leadsTo(header.flashblocksRoot, leafHash, leaf.position, count, leaf.branch)) revert BadBranch(i);
        }
        uint256 first = _place(leaves[0]);
        if (leaves.length == 1) {
            if (first == target) {
                if (leaves[0].structHash == promiseHash) revert PromiseKept();
            } else if (leaves[0].position != (first > target ? 0 : count - 1)) {
                revert NotOmitted();
            }
            return;
        }
        bool adjacent = leaves.length == 2 && leaves[1].position == uint256(leaves[0].position) + 1;
        if (!adjacent || first >= target || _place(leaves[1]) <= target) revert NotOmitted();
    }

    /// @dev The tree of the protocol: node = keccak256(0x01 || left || right), a lone node is carried up. Sides follow
    ///      from `index` and `count`, so that one leaf cannot be shown at two positions.
    function _leadsTo(bytes32 root, bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata branch)
        private
        pure
        returns (bool)
    {
        if (index >= count) return false;
        uint256 used = 0;
        while (count > 1) {
            if ((index ^ 1) < count) {
                if (used == branch.length) return false;
                bytes32 sibling = branch[used++];
                leaf = (index & 1) == 1
                    ? keccak256(abi.encodePacked(bytes1(0x01), sibling, leaf))
                    : keccak256(abi.encodePacked(bytes1(0x01), leaf, sibling));
            }
            index >>= 1;
            count = (count + 1) >> 1;
        }
        return used == branch.length && leaf == root;
    }

    // ----------------------------------------------------------------------------------------- hashes and signatures

    /// @notice The name of a proven fault. Neither signatures nor the way of proving enter it: whoever signs can make
    ///         any number of signatures of one digest, and the same fault must not be reported twice.
    function evidenceId(Fault fault, bytes32 separator, address offender, bytes32 first, bytes32 second)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(fault, separator, offender, first, second));
    }

    function domainSeparator(Domain calldata domain) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, domain.chainId, domain.verifyingContract, domain.genesisHash
            )
        );
    }

    /// @dev Copied whole: 13 words, which is what the EIP-712 encoding of this struct is. A word with dirty upper bits
    ///      makes a hash that nobody signs.
    function structHash(Flashblock calldata f) internal pure returns (bytes32 hash) {
        bytes32 typeHash = FLASHBLOCK_TYPEHASH;
        assembly ("memory-safe") {
            let encoded := mload(0x40)
            mstore(encoded, typeHash)
            calldatacopy(add(encoded, 32), f, 416)
            hash := keccak256(encoded, 448)
        }
    }

    /// @dev As above, 12 words.
    function structHash(BatchHeader calldata h) internal pure returns (bytes32 hash) {
        bytes32 typeHash = BATCH_HEADER_TYPEHASH;
        assembly ("memory-safe") {
            let encoded := mload(0x40)
            mstore(encoded, typeHash)
            calldatacopy(add(encoded, 32), h, 384)
            hash := keccak256(encoded, 416)
        }
    }

    /// @notice Who signed the struct with this hash. Strict: 65 bytes, low s, v 27 or 28, and never address zero, which
    ///         is what a failed recovery looks like and would make two failures agree with each other.
    function recover(bytes32 separator, bytes32 hash, bytes calldata signature) internal pure returns (address signer) {
        if (signature.length != 65) revert BadSignature();
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if (uint256(s) > HALF_ORDER || (v != 27 && v != 28)) revert BadSignature();
        signer = ecrecover(keccak256(abi.encodePacked(hex"1901", separator, hash)), v, r, s);
        if (signer == address(0)) revert BadSignature();
    }

    function _requireSame(address a, address b) private pure {
        if (a != b) revert DifferentSigners(a, b);
    }

    /// @dev Places compare as (block number, index).
    function _place(Flashblock calldata f) private pure returns (uint256) {
        return uint256(f.blockNumber) << 32 | f.index;
    }

    function _place(PlaceLeaf calldata leaf) private pure returns (uint256) {
        return uint256(leaf.blockNumber) << 32 | leaf.index;
    }
}
