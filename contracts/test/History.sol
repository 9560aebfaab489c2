// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    BatchHeader,
    Domain,
    Flashblock,
    PlaceLeaf,
    SignedBatchHeader,
    SignedFlashblock
} from "../src/EvidenceTypes.sol";
import {vm} from "./Vm.sol";

/// Makes chains of flashblocks, batches of them, and signatures. The hashes are computed here from the text of the
/// protocol once more, and not with the library under test.
abstract contract History {
    uint256 internal constant KEY = 0xA11CE;
    uint256 internal constant OTHER_KEY = 0xB0B;
    uint256 internal constant LENGTH = 10;

    Domain internal domain = Domain(4242, address(0x0801), keccak256("genesis"));

    /// A chain of `LENGTH` flashblocks from a seed: places ascend, indexes have no gaps, blocks may be empty.
    function chain(uint256 seed, bytes32 parent, uint64 number, uint32 index)
        internal
        pure
        returns (Flashblock[] memory made)
    {
        made = new Flashblock[](LENGTH);
        for (uint256 i = 0; i < LENGTH; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            if (random % 2 == 0) {
                number += uint64(1 + (random >> 8) % 3);
                index = 0;
            } else {
                ++index;
            }
            made[i] = flashblock(parent, number, index, bytes32(random));
            parent = hashOf(made[i]);
        }
    }

    function flashblock(bytes32 parent, uint64 number, uint32 index, bytes32 order)
        internal
        pure
        returns (Flashblock memory)
    {
        return Flashblock({
            epoch: 0,
            term: 1,
            reset: 0,
            blockNumber: number,
            index: index,
            firstPosition: index,
            transactionCount: 1,
            parent: parent,
            orderRoot: order,
            outcomesRoot: keccak256("outcomes"),
            orderingPolicy: keccak256("fcfs"),
            timestampMs: 1_700_000_000_000,
            postBy: 1_700_003_600
        });
    }

    function header(Flashblock[] memory flashblocks) internal pure returns (BatchHeader memory) {
        return BatchHeader({
            epoch: 0,
            term: 1,
            reset: 0,
            sequence: 1,
            previousBatch: keccak256("genesis"),
            firstBlock: 0,
            lastBlock: type(uint64).max,
            lastBlockHash: keccak256("block"),
            stateRoot: keccak256("state"),
            flashblocksRoot: rootOf(leavesOf(flashblocks)),
            flashblockCount: uint32(flashblocks.length),
            dataHash: keccak256("data")
        });
    }

    // -------------------------------------------------------------------------------------------------------- trees

    function leavesOf(Flashblock[] memory flashblocks) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](flashblocks.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            Flashblock memory f = flashblocks[i];
            leaves[i] = keccak256(bytes.concat(hex"00", abi.encode(f.blockNumber, f.index, hashOf(f))));
        }
    }

    function rootOf(bytes32[] memory level) internal pure returns (bytes32) {
        if (level.length == 0) return bytes32(0);
        while (level.length > 1) {
            level = above(level);
        }
        return level[0];
    }

    function leaf(Flashblock[] memory flashblocks, uint256 position) internal pure returns (PlaceLeaf memory made) {
        bytes32[] memory level = leavesOf(flashblocks);
        bytes32[] memory siblings = new bytes32[](32);
        uint256 count = 0;
        uint256 index = position;
        while (level.length > 1) {
            if (index ^ 1 < level.length) siblings[count++] = level[index ^ 1];
            level = above(level);
            index /= 2;
        }
        Flashblock memory f = flashblocks[position];
        made = PlaceLeaf(uint32(position), f.blockNumber, f.index, hashOf(f), new bytes32[](count));
        for (uint256 i = 0; i < count; ++i) {
            made.branch[i] = siblings[i];
        }
    }

    function above(bytes32[] memory level) private pure returns (bytes32[] memory upper) {
        upper = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < upper.length; ++i) {
            upper[i] = 2 * i + 1 < level.length
                ? keccak256(bytes.concat(hex"01", level[2 * i], level[2 * i + 1]))
                : level[2 * i];
        }
    }

    // ------------------------------------------------------------------------------------------- hashes, signatures

    function hashOf(Flashblock memory f) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            bytes.concat(
                "Flashblock(uint64 epoch,uint64 term,uint32 reset,uint64 blockNumber,uint32 index,uint32 firstPosition,",
                "uint32 transactionCount,bytes32 parent,bytes32 orderRoot,bytes32 outcomesRoot,bytes32 orderingPolicy,",
                "uint64 timestampMs,uint64 postBy)"
            )
        );
        return keccak256(bytes.concat(typeHash, abi.encode(f)));
    }

    function hashOf(BatchHeader memory h) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            bytes.concat(
                "BatchHeader(uint64 epoch,uint64 term,uint32 reset,uint64 sequence,bytes32 previousBatch,",
                "uint64 firstBlock,uint64 lastBlock,bytes32 lastBlockHash,bytes32 stateRoot,bytes32 flashblocksRoot,",
                "uint32 flashblockCount,bytes32 dataHash)"
            )
        );
        return keccak256(bytes.concat(typeHash, abi.encode(h)));
    }

    function sign(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
                ),
                keccak256("Rollup Sequencer"),
                keccak256("1"),
                domain
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(bytes.concat(hex"1901", separator, structHash)));
        return bytes.concat(r, s, bytes1(v));
    }

    function signed(uint256 key, Flashblock memory f) internal view returns (SignedFlashblock memory) {
        return SignedFlashblock(f, sign(key, hashOf(f)));
    }

    function signed(uint256 key, BatchHeader memory h) internal view returns (SignedBatchHeader memory) {
        return SignedBatchHeader(h, sign(key, hashOf(h)));
    }

    /// The ancestors of `line[from]`, newest first, `count` of them.
    function linksBelow(Flashblock[] memory line, uint256 from, uint256 count)
        internal
        pure
        returns (Flashblock[] memory links)
    {
        links = new Flashblock[](count);
        for (uint256 i = 0; i < count; ++i) {
            links[i] = line[from - 1 - i];
        }
    }

    function placeOf(Flashblock memory f) internal pure returns (uint256) {
        return uint256(f.blockNumber) << 32 | f.index;
    }
}
