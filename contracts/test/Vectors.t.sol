// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceVerifier} from "../src/EvidenceVerifier.sol";
import {vm} from "./Vm.sol";

/// The contract and the Python code come to the same verdict, id and offender, and refuse for the same reason. The
/// vectors hold complete call data, so the two encodings are compared as well.
contract VectorsTest {
    string private constant FILE = "test/vectors/evidence.json";

    EvidenceVerifier private verifier = new EvidenceVerifier(1);

    function test_every_case_gets_the_verdict_of_the_vectors() public view {
        string memory json = vm.readFile(FILE);
        string[] memory names = vm.parseJsonStringArray(json, ".cases.name");
        bytes[] memory calls = vm.parseJsonBytesArray(json, ".cases.call");
        bytes32[] memory ids = vm.parseJsonBytes32Array(json, ".cases.id");
        address[] memory offenders = vm.parseJsonAddressArray(json, ".cases.offender");
        bytes[] memory errors = vm.parseJsonBytesArray(json, ".cases.error");
        vm.assertTrue(names.length > 70 && calls.length == names.length && errors.length == names.length, "cases");
        for (uint256 i = 0; i < names.length; ++i) {
            (bool valid, bytes memory answer) = address(verifier).staticcall(calls[i]);
            if (errors[i].length == 0) {
                vm.assertTrue(valid, names[i]);
                (bytes32 id, address offender) = abi.decode(answer, (bytes32, address));
                vm.assertEq(id, ids[i], names[i]);
                vm.assertEq(offender, offenders[i], names[i]);
            } else {
                vm.assertTrue(!valid && answer.length >= 4, names[i]);
                vm.assertEq(bytes32(bytes4(answer)), bytes32(bytes4(errors[i])), names[i]);
            }
        }
    }

    function test_reports_are_encoded_as_the_contract_reads_them() public {
        string memory json = vm.readFile(FILE);
        bytes[] memory reports = vm.parseJsonBytesArray(json, ".cases.report");
        bytes[] memory errors = vm.parseJsonBytesArray(json, ".cases.error");
        bytes32 salt = vm.parseJsonBytes32(json, ".commitment.salt");
        bytes32[] memory ids = vm.parseJsonBytes32Array(json, ".cases.id");
        for (uint256 i = 0; i < reports.length; ++i) {
            if (errors[i].length != 0 || verifier.reporterOf(ids[i]) != address(0)) continue;
            verifier.commit(verifier.commitmentOf(address(this), ids[i], salt));
            vm.roll(block.number + 1);
            (bool done, bytes memory answer) = address(verifier).call(reports[i]);
            vm.assertTrue(done, "report");
            vm.assertEq(abi.decode(answer, (bytes32)), ids[i], "id");
            vm.assertEq(verifier.reporterOf(ids[i]), address(this), "reporter");
        }
    }

    function test_a_commitment_is_what_the_vectors_say() public {
        string memory json = vm.readFile(FILE);
        vm.chainId(vm.parseJsonUint(json, ".commitment.chainId"));
        address contractAddress = vm.parseJsonAddress(json, ".commitment.contract");
        bytes32 made = keccak256(
            abi.encode(
                block.chainid,
                contractAddress,
                vm.parseJsonAddress(json, ".commitment.reporter"),
                vm.parseJsonBytes32(json, ".commitment.id"),
                vm.parseJsonBytes32(json, ".commitment.salt")
            )
        );
        vm.assertEq(made, vm.parseJsonBytes32(json, ".commitment.commitment"), "commitment");
        bytes32 here = keccak256(abi.encode(block.chainid, address(verifier), address(1), made, bytes32(0)));
        vm.assertEq(verifier.commitmentOf(address(1), made, 0), here, "commitmentOf");
    }
}
