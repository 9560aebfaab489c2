// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Counter} from "../src/Counter.sol";

interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// Deploys by CREATE and by CREATE2 through the well-known deployer, and uses both at once.
contract Deploy {
    bool public constant IS_SCRIPT = true;
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function run() external returns (address plain, address salted) {
        vm.startBroadcast();
        Counter first = new Counter(10);
        Counter second = new Counter{salt: bytes32(uint256(7))}(20);
        for (uint256 i = 0; i < 3; i++) {
            first.increment();
        }
        second.increment();
        payable(address(0xbeef)).transfer(1 ether);
        vm.stopBroadcast();
        require(first.value() == 3 && second.value() == 1, "the simulation counts as the chain will");
        return (address(first), address(second));
    }
}
