// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollupInbox} from "../src/IRollupInbox.sol";
import {RollupInbox} from "../src/RollupInbox.sol";

interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function blobhashes(bytes32[] calldata hashes) external;
    function prank(address sender, address origin) external;
    function etch(address where, bytes calldata code) external;
    function expectRevert(bytes calldata reason) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function roll(uint256 number) external;
}

/// @dev Calls the inbox from inside.
contract Middle {
    function post(RollupInbox inbox, bytes calldata data) external {
        inbox.postCalldata(0, data);
    }
}

contract RollupInboxTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address private constant POSTER = address(0xBEEF);
    bytes32 private constant HEADER = keccak256("header");
    RollupInbox private inbox = new RollupInbox(1 hours);

    function test_blobs_are_referenced_in_order_without_gaps(uint8 howMany) external {
        uint256 count = uint256(howMany) % 6 + 1;
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            hashes[i] = keccak256(abi.encode("blob", i));
        }
        vm.blobhashes(hashes);
        vm.recordLogs();
        inbox.postBlobs(HEADER);
        inbox.postBlobs(keccak256("next"));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assert(logs.length == 2 * count && inbox.referenceCount() == 2 * count);
        for (uint64 i = 0; i < logs.length; ++i) {
            (uint8 layer, uint64 height, bytes32 commitment, address poster) = _decode(logs[i], i);
            assert(layer == 1 && height == block.number && poster == address(this));
            assert(commitment == hashes[i % count]);
            assert(logs[i].topics[2] == (i < count ? HEADER : keccak256("next")));
        }
    }

    function test_without_blobs_there_is_no_reference() external {
        vm.expectRevert(abi.encodeWithSelector(IRollupInbox.NoBlobs.selector));
        inbox.postBlobs(HEADER);
    }

    function test_calldata_is_referenced_by_its_hash(bytes calldata data) external {
        vm.prank(POSTER, POSTER);
        if (data.length == 0) vm.expectRevert(abi.encodeWithSelector(IRollupInbox.NoData.selector));
        vm.recordLogs();
        inbox.postCalldata(HEADER, data);
        if (data.length == 0) return;
        (uint8 layer,, bytes32 commitment, address poster) = _decode(vm.getRecordedLogs()[0], 0);
        assert(layer == 2 && commitment == keccak256(data) && poster == POSTER);
    }

    function test_calldata_from_inside_is_refused() external {
        Middle middle = new Middle();
        vm.expectRevert(abi.encodeWithSelector(IRollupInbox.NotTopLevel.selector));
        middle.post(inbox, "x");
    }

    function test_calldata_of_a_delegated_account_is_refused() external {
        vm.etch(POSTER, abi.encodePacked(hex"ef0100", address(this)));
        vm.prank(POSTER, POSTER);
        vm.expectRevert(abi.encodeWithSelector(IRollupInbox.NotTopLevel.selector));
        inbox.postCalldata(HEADER, "x");
    }

    function test_references_to_another_layer() external {
        bytes32[] memory commitments = new bytes32[](2);
        (commitments[0], commitments[1]) = (keccak256("a"), keccak256("b"));
        vm.recordLogs();
        inbox.postReference(HEADER, 16, 77, commitments);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint64 i = 0; i < 2; ++i) {
            (uint8 layer, uint64 height, bytes32 commitment,) = _decode(logs[i], i);
            assert(layer == 16 && height == 77 && commitment == commitments[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(IRollupInbox.NotExternal.selector, 2));
        inbox.postReference(HEADER, 2, 77, commitments);
        vm.expectRevert(abi.encodeWithSelector(IRollupInbox.NoBlobs.selector));
        inbox.postReference(HEADER, 16, 77, new bytes32[](0));
    }

    function test_a_batch_is_known_since_its_first_reference() external {
        bytes32[] memory commitments = new bytes32[](1);
        assert(inbox.referencedAt(HEADER) == 0);
        vm.roll(5);
        inbox.postReference(HEADER, 16, 1, commitments);
        vm.roll(9);
        inbox.postReference(HEADER, 16, 2, commitments);
        assert(inbox.referencedAt(HEADER) == 5);
    }

    function test_forced_transactions_queue_up(bytes calldata transaction) external {
        if (transaction.length == 0) {
            vm.expectRevert(abi.encodeWithSelector(IRollupInbox.BadTransaction.selector, 0));
            inbox.forceTransaction(transaction);
            return;
        }
        vm.recordLogs();
        assert(inbox.forceTransaction(transaction) == 0 && inbox.forceTransaction("next") == 1);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        (uint64 deadline, bytes memory content) = abi.decode(logs[0].data, (uint64, bytes));
        assert(deadline == block.timestamp + 1 hours && keccak256(content) == keccak256(transaction));
        assert(inbox.forced(0) == keccak256(abi.encode(address(this), deadline, keccak256(transaction))));
        assert(inbox.forcedCount() == 2);
    }

    function test_a_forced_transaction_has_a_size_limit() external {
        bytes memory large = new bytes(128 * 1024 + 1);
        vm.expectRevert(abi.encodeWithSelector(IRollupInbox.BadTransaction.selector, large.length));
        inbox.forceTransaction(large);
    }

    function test_states_are_committed_for_referenced_batches_only() external {
        vm.expectRevert(abi.encodeWithSelector(IRollupInbox.NotReferenced.selector, HEADER));
        inbox.commitState(HEADER, keccak256("state"));
        inbox.postReference(HEADER, 16, 1, new bytes32[](1));
        inbox.commitState(HEADER, keccak256("state"));
        assert(inbox.stateOf(HEADER, address(this)) == keccak256("state"));
        assert(inbox.reset() == 0);
    }

    function _decode(Vm.Log memory log, uint64 index) private pure returns (uint8, uint64, bytes32, address) {
        assert(log.topics[0] == IRollupInbox.BatchReferenced.selector && uint256(log.topics[1]) == index);
        return abi.decode(log.data, (uint8, uint64, bytes32, address));
    }
}
