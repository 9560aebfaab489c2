// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// Counts, tells, and refuses to go beyond its limit.
contract Counter {
    error LimitReached(uint256 limit);

    event Counted(address indexed by, uint256 value);

    uint256 public immutable limit;
    uint256 public value;

    constructor(uint256 limit_) {
        limit = limit_;
    }

    function increment() external returns (uint256) {
        if (value == limit) revert LimitReached(limit);
        emit Counted(msg.sender, ++value);
        return value;
    }
}
