// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceVerifier} from "../src/EvidenceVerifier.sol";
import {
    BatchHeader,
    ContradictedPromise,
    DoubleBatch,
    Equivocation,
    Flashblock,
    PlaceLeaf
} from "../src/EvidenceTypes.sol";
import {History} from "./History.sol";
import {vm} from "./Vm.sol";

/// What proofs and reports cost. `snapshots/evidence.json` holds the figures, and a change of any of them fails the
/// tests until `forge test` has written them anew.
contract GasTest is History {
    EvidenceVerifier private verifier = new EvidenceVerifier(1);

    function test_gas_of_each_proof() public {
        Equivocation memory same = equivocation(0);
        measure("E1 same place", abi.encodeCall(verifier.verifyEquivocation, (same)));
        measure("E1 over 10 links", abi.encodeCall(verifier.verifyEquivocation, (equivocation(10))));
        measure("E1 over 100 links", abi.encodeCall(verifier.verifyEquivocation, (equivocation(100))));
        measure("E2 of 256 flashblocks", abi.encodeCall(verifier.verifyContradictedPromise, (contradiction(256))));
        measure("E3", abi.encodeCall(verifier.verifyDoubleBatch, (doubled())));
    }

    function test_gas_of_a_report() public {
        Equivocation memory same = equivocation(0);
        (bytes32 id,) = verifier.verifyEquivocation(same);
        measure("commit", abi.encodeCall(verifier.commit, (verifier.commitmentOf(address(this), id, 0))));
        vm.roll(block.number + 1);
        measure("report E1 same place", abi.encodeCall(verifier.reportEquivocation, (same, 0)));
    }

    function measure(string memory name, bytes memory callData) private {
        (bool done,) = address(verifier).call(callData);
        vm.snapshotGasLastCall("evidence", name);
        vm.assertTrue(done, name);
    }

    function equivocation(uint256 count) private view returns (Equivocation memory e) {
        e.domain = domain;
        bytes32 parent = domain.genesisHash;
        Flashblock[] memory line = new Flashblock[](count + 1);
        for (uint256 i = 0; i <= count; ++i) {
            line[i] = flashblock(parent, uint64(1 + i), 0, keccak256(abi.encode(i)));
            parent = hashOf(line[i]);
        }
        e.a = signed(KEY, flashblock(domain.genesisHash, 1, 0, "other"));
        e.b = signed(KEY, line[count]);
        e.links = linksBelow(line, count, count);
    }

    function contradiction(uint256 count) private view returns (ContradictedPromise memory e) {
        Flashblock[] memory line = new Flashblock[](count);
        for (uint256 i = 0; i < count; ++i) {
            line[i] = flashblock(domain.genesisHash, uint64(1 + i), 0, keccak256(abi.encode(i)));
        }
        e.domain = domain;
        e.promised = signed(KEY, flashblock(domain.genesisHash, 100, 1, "left out"));
        e.batch = signed(KEY, header(line));
        e.leaves = new PlaceLeaf[](2);
        (e.leaves[0], e.leaves[1]) = (leaf(line, 99), leaf(line, 100));
    }

    function doubled() private view returns (DoubleBatch memory) {
        BatchHeader memory one = header(new Flashblock[](0));
        BatchHeader memory two = header(new Flashblock[](0));
        two.term = 9;
        return DoubleBatch(domain, signed(KEY, one), signed(KEY, two));
    }
}
