// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceVerifier} from "../src/EvidenceVerifier.sol";
import {
    BatchHeader,
    ContradictedPromise,
    Domain,
    DoubleBatch,
    Equivocation,
    Fault,
    Flashblock,
    OnOneChain
} from "../src/EvidenceTypes.sol";
import {History} from "./History.sol";
import {vm} from "./Vm.sol";

/// Remembers what the hook was told.
contract Slasher is EvidenceVerifier(2) {
    uint256 public faults;
    address public lastOffender;
    address public lastReporter;
    uint256 public lastChainId;

    function _onFault(Fault, bytes32, address offender, address reporter, Domain calldata domain) internal override {
        ++faults;
        (lastOffender, lastReporter, lastChainId) = (offender, reporter, domain.chainId);
    }
}

/// The way from evidence to its consequence: commit, wait, report, once.
contract ReportingTest is History {
    bytes32 private constant SALT = keccak256("salt");
    address private constant REPORTER = address(0x4E9);
    address private constant THIEF = address(0x7E1F);

    Slasher private slasher = new Slasher();
    Equivocation private evidence;
    bytes32 private id;

    function setUp() public {
        vm.roll(100);
        evidence.domain = domain;
        evidence.a = signed(KEY, flashblock(domain.genesisHash, 5, 0, "one"));
        evidence.b = signed(KEY, flashblock(domain.genesisHash, 5, 0, "two"));
        (id,) = slasher.verifyEquivocation(evidence);
    }

    function test_a_committed_report_reaches_the_hook_once() public {
        commit(REPORTER, id);
        vm.roll(102);
        vm.expectEmit(true, true, true, true);
        emit EvidenceVerifier.FaultProven(
            id, vm.addr(KEY), REPORTER, Fault.Equivocation, domain.chainId, domain.genesisHash
        );
        vm.prank(REPORTER);
        vm.assertEq(slasher.reportEquivocation(evidence, SALT), id, "id");
        vm.assertEq(slasher.reporterOf(id), REPORTER, "reporter");
        vm.assertEq(slasher.faults(), 1, "hook");
        vm.assertEq(slasher.lastOffender(), vm.addr(KEY), "offender");
        vm.assertEq(slasher.lastReporter(), REPORTER, "reporter told");
        vm.assertEq(slasher.lastChainId(), domain.chainId, "chain told");
    }

    function test_evidence_is_not_replayed_in_either_order_by_anyone() public {
        commit(REPORTER, id);
        commit(THIEF, id);
        vm.roll(102);
        vm.prank(REPORTER);
        slasher.reportEquivocation(evidence, SALT);
        Equivocation memory swapped = evidence;
        (swapped.a, swapped.b) = (swapped.b, swapped.a);
        bytes memory refusal = abi.encodeWithSelector(EvidenceVerifier.AlreadyReported.selector, REPORTER);
        vm.expectRevert(refusal);
        vm.prank(THIEF);
        slasher.reportEquivocation(swapped, SALT);
        vm.expectRevert(refusal);
        vm.prank(REPORTER);
        slasher.reportEquivocation(evidence, SALT);
        vm.assertEq(slasher.faults(), 1, "hook");
    }

    function test_who_copies_a_waiting_report_comes_too_late() public {
        commit(REPORTER, id);
        vm.roll(102);
        // The thief sees the report wait for inclusion, and is included before it in every block from here on.
        vm.expectRevert(EvidenceVerifier.NotCommitted.selector);
        vm.prank(THIEF);
        slasher.reportEquivocation(evidence, SALT);
        commit(THIEF, id);
        vm.expectRevert(abi.encodeWithSelector(EvidenceVerifier.TooEarly.selector, 104));
        vm.prank(THIEF);
        slasher.reportEquivocation(evidence, SALT);
        vm.prank(REPORTER);
        slasher.reportEquivocation(evidence, SALT);
        vm.assertEq(slasher.reporterOf(id), REPORTER, "reporter");
    }

    function test_who_copies_a_commitment_makes_it_for_the_reporter() public {
        bytes32 commitment = slasher.commitmentOf(REPORTER, id, SALT);
        vm.prank(THIEF);
        slasher.commit(commitment);
        vm.roll(101);
        vm.prank(REPORTER);
        slasher.commit(commitment);
        vm.assertEq(slasher.committedAt(commitment), 100, "it keeps its block");
        vm.roll(102);
        vm.prank(REPORTER);
        slasher.reportEquivocation(evidence, SALT);
    }

    function test_a_report_waits_for_its_delay() public {
        commit(REPORTER, id);
        vm.roll(101);
        vm.expectRevert(abi.encodeWithSelector(EvidenceVerifier.TooEarly.selector, 102));
        vm.prank(REPORTER);
        slasher.reportEquivocation(evidence, SALT);
    }

    function test_another_salt_or_evidence_is_not_committed_to() public {
        commit(REPORTER, id);
        vm.roll(102);
        vm.expectRevert(EvidenceVerifier.NotCommitted.selector);
        vm.prank(REPORTER);
        slasher.reportEquivocation(evidence, keccak256("other salt"));
        evidence.b = signed(KEY, flashblock(domain.genesisHash, 5, 0, "three"));
        vm.expectRevert(EvidenceVerifier.NotCommitted.selector);
        vm.prank(REPORTER);
        slasher.reportEquivocation(evidence, SALT);
    }

    function test_the_accused_cannot_report_itself() public {
        commit(vm.addr(KEY), id);
        vm.roll(102);
        vm.expectRevert(EvidenceVerifier.AccusedReporter.selector);
        vm.prank(vm.addr(KEY));
        slasher.reportEquivocation(evidence, SALT);
    }

    function test_what_proves_nothing_is_not_reported() public {
        Flashblock memory child = flashblock(hashOf(evidence.a.flashblock), 6, 0, "child");
        evidence.b = signed(KEY, child);
        vm.expectRevert(OnOneChain.selector);
        slasher.reportEquivocation(evidence, SALT);
        vm.assertEq(slasher.faults(), 0, "hook");
    }

    function test_the_other_faults_are_reported_alike() public {
        BatchHeader memory empty = header(new Flashblock[](0));
        ContradictedPromise memory broken;
        (broken.domain, broken.promised, broken.batch) = (domain, evidence.a, signed(KEY, empty));
        (bytes32 second,) = slasher.verifyContradictedPromise(broken);
        BatchHeader memory other = header(new Flashblock[](0));
        other.term = 9;
        DoubleBatch memory doubled = DoubleBatch(domain, signed(KEY, empty), signed(KEY, other));
        (bytes32 third,) = slasher.verifyDoubleBatch(doubled);
        commit(REPORTER, second);
        commit(REPORTER, third);
        vm.roll(102);
        vm.prank(REPORTER);
        vm.assertEq(slasher.reportContradictedPromise(broken, SALT), second, "id");
        vm.prank(REPORTER);
        vm.assertEq(slasher.reportDoubleBatch(doubled, SALT), third, "id");
        vm.assertEq(slasher.faults(), 2, "hook");
    }

    function test_a_delay_of_nothing_is_refused() public {
        vm.expectRevert(EvidenceVerifier.NoRevealDelay.selector);
        new EvidenceVerifier(0);
    }

    function commit(address by, bytes32 what) private {
        bytes32 commitment = slasher.commitmentOf(by, what, SALT);
        vm.prank(by);
        slasher.commit(commitment);
    }
}
