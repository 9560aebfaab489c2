// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollupInbox} from "./IRollupInbox.sol";

/// @title The ordered references to a rollup's batches, its forced transactions and its state commitments.
/// @dev Storage holds what other contracts may ask for; everything else is in the events.
contract RollupInbox is IRollupInbox {
    uint8 public constant LAYER_BLOBS = 1;
    uint8 public constant LAYER_CALLDATA = 2;
    /// @dev Layers from here on are not this chain.
    uint8 public constant LAYER_CELESTIA = 16;

    /// @notice Time in which a forced transaction must be taken, in seconds.
    uint64 public immutable FORCED_DELAY;
    /// @notice The most bytes that a forced transaction may have, as the rollup's own pool takes them.
    uint256 public constant MAX_FORCED_BYTES = 128 * 1024;

    uint64 public referenceCount;
    uint64 public forcedCount;
    uint32 public constant reset = 0;
    mapping(bytes32 headerHash => uint64) public referencedAt;
    mapping(uint64 index => bytes32) public forced;
    mapping(bytes32 headerHash => mapping(address proposer => bytes32)) public stateOf;

    constructor(uint64 forcedDelay) {
        FORCED_DELAY = forcedDelay;
    }

    /// @inheritdoc IRollupInbox
    function postBlobs(bytes32 headerHash) external {
        bytes32 versionedHash = blobhash(0);
        if (versionedHash == 0) revert NoBlobs();
        uint64 index = referenceCount;
        for (uint256 i = 0; versionedHash != 0; versionedHash = blobhash(++i)) {
            emit BatchReferenced(index++, headerHash, LAYER_BLOBS, uint64(block.number), versionedHash, msg.sender);
        }
        _referenced(headerHash, index);
    }

    /// @inheritdoc IRollupInbox
    function postCalldata(bytes32 headerHash, bytes calldata data) external {
        // An account with code could call from inside, where readers do not find the data (EIP-7702).
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert NotTopLevel();
        if (data.length == 0) revert NoData();
        uint64 index = referenceCount;
        emit BatchReferenced(index, headerHash, LAYER_CALLDATA, uint64(block.number), keccak256(data), msg.sender);
        _referenced(headerHash, index + 1);
    }

    /// @inheritdoc IRollupInbox
    function postReference(bytes32 headerHash, uint8 layer, uint64 height, bytes32[] calldata commitments) external {
        if (layer < LAYER_CELESTIA) revert NotExternal(layer);
        if (commitments.length == 0) revert NoBlobs();
        uint64 index = referenceCount;
        for (uint256 i = 0; i < commitments.length; ++i) {
            emit BatchReferenced(index++, headerHash, layer, height, commitments[i], msg.sender);
        }
        _referenced(headerHash, index);
    }

    /// @inheritdoc IRollupInbox
    function forceTransaction(bytes calldata transaction) external returns (uint64 index) {
        if (transaction.length == 0 || transaction.length > MAX_FORCED_BYTES) {
            revert BadTransaction(transaction.length);
        }
        index = forcedCount++;
        uint64 deadline = uint64(block.timestamp) + FORCED_DELAY;
        forced[index] = keccak256(abi.encode(msg.sender, deadline, keccak256(transaction)));
        emit TransactionForced(index, msg.sender, deadline, transaction);
    }

    /// @inheritdoc IRollupInbox
    function commitState(bytes32 headerHash, bytes32 stateRoot) external {
        if (referencedAt[headerHash] == 0) revert NotReferenced(headerHash);
        stateOf[headerHash][msg.sender] = stateRoot;
        emit StateCommitted(headerHash, stateRoot, msg.sender);
    }

    function _referenced(bytes32 headerHash, uint64 count) private {
        referenceCount = count;
        if (referencedAt[headerHash] == 0) referencedAt[headerHash] = uint64(block.number);
    }
}
