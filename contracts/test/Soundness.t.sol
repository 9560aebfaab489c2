// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceVerifier} from "../src/EvidenceVerifier.sol";
import {
    BatchHeader,
    ContradictedPromise,
    DifferentSigners,
    DoubleBatch,
    Equivocation,
    Flashblock,
    PlaceLeaf,
    SameObject
} from "../src/EvidenceTypes.sol";
import {History} from "./History.sol";
import {vm} from "./Vm.sol";

/// Over random chains: whatever the accuser shows, promises of one chain convict nobody, and every fork convicts.
contract SoundnessTest is History {
    EvidenceVerifier private verifier = new EvidenceVerifier(1);

    // -------------------------------------------------------------------------------------------------- E1

    /// Any two promises of one chain, any number of true ancestors, either order.
    function testFuzz_promises_of_one_chain_convict_nobody(uint256 seed, uint8 x, uint8 y, uint8 count, bool swap)
        public
        view
    {
        Flashblock[] memory line = chain(seed, domain.genesisHash, 0, 0);
        uint256 low = x % LENGTH;
        uint256 high = y % LENGTH;
        (low, high) = low < high ? (low, high) : (high, low);
        requireNothing(line[low], line[high], linksBelow(line, high, count % (high + 1)), "", swap);
    }

    /// Links of another chain, an altered link, or a foreign root do not help the accuser either.
    function testFuzz_false_links_convict_nobody(uint256 seed, uint8 x, uint8 y, uint8 count, bytes memory root)
        public
        view
    {
        Flashblock[] memory line = chain(seed, domain.genesisHash, 0, 0);
        uint256 low = x % (LENGTH - 2);
        uint256 high = low + 2 + y % (LENGTH - low - 2);
        Flashblock[] memory links = linksBelow(line, high, 1 + count % (high - low));
        links[links.length - 1].orderRoot = keccak256(root);
        requireNothing(line[low], line[high], links, root, false);
        Flashblock[] memory other = chain(seed ^ 1, domain.genesisHash, 0, 0);
        requireNothing(line[low], line[high], linksBelow(other, LENGTH - 1, 1 + count % (LENGTH - 1)), root, false);
    }

    /// Two chains that part at a random point: any promise above it on either side against any on the other.
    function testFuzz_promises_of_two_chains_convict(uint256 seed, uint8 cut, uint8 x, uint8 y, bool swap) public {
        Flashblock[] memory line = chain(seed, domain.genesisHash, 0, 0);
        uint256 part = cut % (LENGTH - 1);
        Flashblock[] memory forkLine = chain(seed ^ 1, hashOf(line[part]), line[part].blockNumber, line[part].index);
        Flashblock memory one = line[part + 1 + x % (LENGTH - part - 1)];
        Flashblock memory two = forkLine[y % LENGTH];
        Equivocation memory e;
        e.domain = domain;
        (e.a, e.b) = swap ? (signed(KEY, two), signed(KEY, one)) : (signed(KEY, one), signed(KEY, two));
        e.links = placeOf(one) < placeOf(two)
            ? decisive(forkLine, y % LENGTH, line[part], placeOf(one))
            : placeOf(two) < placeOf(one)
                ? decisive(line, part + 1 + x % (LENGTH - part - 1), line[part], placeOf(two))
                : new Flashblock[](0);
        (bytes32 id, address offender) = verifier.verifyEquivocation(e);
        vm.assertEq(offender, vm.addr(KEY), "offender");
        (e.a, e.b) = (e.b, e.a);
        (bytes32 again,) = verifier.verifyEquivocation(e);
        vm.assertEq(id, again, "the order of the halves does not matter");
        e.b = signed(OTHER_KEY, e.b.flashblock);
        vm.expectRevert(abi.encodeWithSelector(DifferentSigners.selector, vm.addr(KEY), vm.addr(OTHER_KEY)));
        verifier.verifyEquivocation(e);
    }

    /// A word with dirty upper bits is not the value that it is read as.
    function test_dirty_words_are_refused() public view {
        Flashblock[] memory line = chain(7, domain.genesisHash, 0, 0);
        Flashblock memory other = flashblock(domain.genesisHash, line[0].blockNumber, line[0].index, "other");
        Equivocation memory e;
        e.domain = domain;
        (e.a, e.b) = (signed(KEY, line[0]), signed(KEY, other));
        bytes memory callData = abi.encodeCall(verifier.verifyEquivocation, (e));
        (bool before,) = address(verifier).staticcall(callData);
        vm.assertTrue(before, "proven as it is");
        for (uint256 i = 0; i < callData.length - 32; ++i) {
            // The upper byte of each word.
            if (i % 32 != 4) continue;
            bytes1 kept = callData[i];
            if (kept != 0) continue;
            callData[i] = 0x01;
            (bool valid, bytes memory answer) = address(verifier).staticcall(callData);
            if (valid) {
                (, address offender) = abi.decode(answer, (bytes32, address));
                vm.assertEq(offender, vm.addr(KEY), "nobody else is convicted");
            }
            callData[i] = kept;
        }
    }

    // -------------------------------------------------------------------------------------------------- E2

    /// A batch that holds its promises: no leaf and no two leaves of it, in any order, say otherwise.
    function testFuzz_a_kept_promise_convicts_nobody(uint256 seed, uint8 x, uint8 p, uint8 q, uint8 size) public view {
        Flashblock[] memory line = shortened(chain(seed, domain.genesisHash, 0, 0), 1 + size % LENGTH);
        ContradictedPromise memory e;
        e.domain = domain;
        e.promised = signed(KEY, line[x % line.length]);
        e.batch = signed(KEY, header(line));
        requireKept(e);
        e.leaves = new PlaceLeaf[](1);
        e.leaves[0] = leaf(line, p % line.length);
        requireKept(e);
        PlaceLeaf memory first = e.leaves[0];
        e.leaves = new PlaceLeaf[](2);
        (e.leaves[0], e.leaves[1]) = (first, leaf(line, q % line.length));
        requireKept(e);
    }

    /// A batch that drops or changes a promise: there always is a proof.
    function testFuzz_a_broken_promise_convicts(uint256 seed, uint8 x, uint8 size, bool change) public view {
        Flashblock[] memory line = shortened(chain(seed, domain.genesisHash, 0, 0), 2 + size % (LENGTH - 1));
        uint256 victim = x % line.length;
        ContradictedPromise memory e;
        e.domain = domain;
        e.promised = signed(KEY, line[victim]);
        if (change) {
            line[victim] = flashblock(line[victim].parent, line[victim].blockNumber, line[victim].index, "changed");
            e.batch = signed(KEY, header(line));
            e.leaves = new PlaceLeaf[](1);
            e.leaves[0] = leaf(line, victim);
        } else {
            line = without(line, victim);
            e.batch = signed(KEY, header(line));
            bool edge = victim == 0 || victim == line.length;
            e.leaves = new PlaceLeaf[](edge ? 1 : 2);
            e.leaves[0] = leaf(line, victim == 0 ? 0 : victim - 1);
            if (!edge) e.leaves[1] = leaf(line, victim);
        }
        (, address offender) = verifier.verifyContradictedPromise(e);
        vm.assertEq(offender, vm.addr(KEY), "offender");
    }

    // -------------------------------------------------------------------------------------------------- E3

    function testFuzz_two_batches_of_a_sequence_convict(BatchHeader memory a, BatchHeader memory b) public {
        (b.sequence, b.reset) = (a.sequence, a.reset);
        vm.assume(hashOf(a) != hashOf(b));
        DoubleBatch memory e = DoubleBatch(domain, signed(KEY, a), signed(KEY, b));
        (bytes32 id, address offender) = verifier.verifyDoubleBatch(e);
        vm.assertEq(offender, vm.addr(KEY), "offender");
        (e.a, e.b) = (e.b, e.a);
        (bytes32 again,) = verifier.verifyDoubleBatch(e);
        vm.assertEq(id, again, "the order of the halves does not matter");
        e.b = e.a;
        vm.expectRevert(SameObject.selector);
        verifier.verifyDoubleBatch(e);
    }

    // ---------------------------------------------------------------------------------------------------- the means

    function requireNothing(
        Flashblock memory low,
        Flashblock memory high,
        Flashblock[] memory links,
        bytes memory root,
        bool swap
    ) private view {
        Equivocation memory e;
        e.domain = domain;
        (e.a, e.b) = swap ? (signed(KEY, high), signed(KEY, low)) : (signed(KEY, low), signed(KEY, high));
        (e.links, e.root) = (links, root);
        (bool proven,) = address(verifier).staticcall(abi.encodeCall(verifier.verifyEquivocation, (e)));
        vm.assertTrue(!proven, "a correct sequencer is convicted");
    }

    function requireKept(ContradictedPromise memory e) private view {
        (bool proven,) = address(verifier).staticcall(abi.encodeCall(verifier.verifyContradictedPromise, (e)));
        vm.assertTrue(!proven, "a correct sequencer is convicted");
    }

    /// The links that the walk from `line[from]` needs, down to the first that is not above `target`, which at the
    /// latest is `base`, where the chains part. One whose parent's place is known is not needed.
    function decisive(Flashblock[] memory line, uint256 from, Flashblock memory base, uint256 target)
        private
        pure
        returns (Flashblock[] memory links)
    {
        Flashblock[] memory found = new Flashblock[](LENGTH + 1);
        uint256 count = 0;
        bytes32 parent = line[from].parent;
        while (true) {
            Flashblock memory link = parent == hashOf(base) ? base : line[from - 1 - count];
            found[count++] = link;
            if (placeOf(link) <= target) break;
            parent = link.parent;
        }
        return shortened(found, count);
    }

    function shortened(Flashblock[] memory line, uint256 length) private pure returns (Flashblock[] memory made) {
        made = new Flashblock[](length);
        for (uint256 i = 0; i < length; ++i) {
            made[i] = line[i];
        }
    }

    function without(Flashblock[] memory line, uint256 victim) private pure returns (Flashblock[] memory made) {
        made = new Flashblock[](line.length - 1);
        for (uint256 i = 0; i < made.length; ++i) {
            made[i] = line[i < victim ? i : i + 1];
        }
    }
}
