// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// An ERC-20 with a revert of each kind, for tests of wallets.
contract Token is ERC20 {
    error Refused(address who, uint256 amount);

    constructor(uint256 supply) ERC20("Test Token", "TEST") {
        _mint(msg.sender, supply);
    }

    function refuse(uint256 amount) external view {
        revert Refused(msg.sender, amount);
    }

    function explain() external pure {
        revert("no means no");
    }
}
