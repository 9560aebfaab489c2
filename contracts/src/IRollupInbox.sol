// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the settlement layer keeps of a rollup.
/// @notice Everything here is open to anyone and proves nothing by itself: readers verify the batches that are
/// referenced, and the order of references is the order in which they consider them.
interface IRollupInbox {
    /// @notice One blob of a batch is public. `index` counts references from 0 without gaps; `headerHash` is the
    /// EIP-712 struct hash of the batch header that the blob claims to belong to; `layer` and `height` say where the
    /// blob stands and `commitment` which one it is (LAYER_BLOBS: versioned hash, LAYER_CALLDATA: keccak256 of the
    /// bytes, LAYER_CELESTIA: share commitment).
    event BatchReferenced(
        uint64 indexed index, bytes32 indexed headerHash, uint8 layer, uint64 height, bytes32 commitment, address poster
    );

    /// @notice A transaction that blocks must hold by `deadline` (unix seconds). `index` counts from 0 without gaps.
    event TransactionForced(uint64 indexed index, address indexed sender, uint64 deadline, bytes transaction);

    /// @notice `proposer` stands for `stateRoot` as the state after the batch.
    event StateCommitted(bytes32 indexed headerHash, bytes32 stateRoot, address indexed proposer);

    error NoBlobs();
    error NoData();
    error NotTopLevel();
    error NotExternal(uint8 layer);
    error NotReferenced(bytes32 headerHash);
    error BadTransaction(uint256 size);

    /// @notice Reference every blob that this transaction carries (EIP-4844).
    function postBlobs(bytes32 headerHash) external;

    /// @notice Publish `data` itself. Only as the call of a transaction, so that readers find it there.
    function postCalldata(bytes32 headerHash, bytes calldata data) external;

    /// @notice Reference blobs that stand at `height` of another layer.
    function postReference(bytes32 headerHash, uint8 layer, uint64 height, bytes32[] calldata commitments) external;

    /// @notice Put a signed transaction into the queue that no sequencer can pass over.
    function forceTransaction(bytes calldata transaction) external returns (uint64 index);

    /// @notice Stand for a state root.
    function commitState(bytes32 headerHash, bytes32 stateRoot) external;

    /// @notice How many references there are.
    function referenceCount() external view returns (uint64);

    /// @notice The block in which a batch was referenced first; 0: never.
    function referencedAt(bytes32 headerHash) external view returns (uint64);

    /// @notice How many transactions were forced.
    function forcedCount() external view returns (uint64);

    /// @notice keccak256(abi.encode(sender, deadline, keccak256(transaction))) of a forced transaction.
    function forced(uint64 index) external view returns (bytes32);

    /// @notice The state root that `proposer` stands for.
    function stateOf(bytes32 headerHash, address proposer) external view returns (bytes32);

    /// @notice How often the expiry of the sequencing window undid promises.
    function reset() external view returns (uint32);
}
