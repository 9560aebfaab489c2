"""Proofs, access lists, simulations and traces of a real chain, with every engine."""

from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account
from trie import HexaryTrie
from web3 import Web3

from execution.selection import native_is_installed
from sequencer.core import rlp
from sequencer.core.keccak import keccak256
from tests.clients.script import run_script
from tests.conformance.execution.bytecode import word
from tests.devnet import Devnet, running

TRANSFER = bytes.fromhex("a9059cbb")
TO = bytes(12) + b"\x07" * 20
BALANCE_SLOT = "0x" + keccak256(TO + bytes(32)).hex()


@pytest.fixture(scope="module", params=["reference", "native"])
def inspecting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    if request.param == "native" and not native_is_installed():
        pytest.skip("the native engine is not built here")
    with running(tmp_path_factory.mktemp("devnet") / "node", engine=request.param) as node:
        yield node


@pytest.fixture(scope="module")
def transfer(inspecting: Devnet, contracts: dict[str, Any]) -> dict[str, Any]:
    """The receipt of a sealed token transfer."""
    wallet = inspecting.wallet(0)
    deployment = bytes.fromhex(contracts["Token"]["bytecode"][2:]) + (100).to_bytes(32, "big")
    made = inspecting.rpc("eth_sendRawTransactionSync", "0x" + wallet.sign(data=deployment, gas_limit=2_000_000).hex())
    data = TRANSFER + TO + (5).to_bytes(32, "big")
    raw = wallet.sign(to=bytes.fromhex(made["contractAddress"][2:]), data=data, gas_limit=200_000)
    sent = inspecting.rpc("eth_sendRawTransactionSync", "0x" + raw.hex())
    return inspecting.wait_sealed(sent["transactionHash"])


def proven(root: str, key: bytes, nodes: list[str]) -> Any:
    """What the nodes prove to stand at ``key`` of the trie with this root."""
    decoded = [rlp.decode(bytes.fromhex(node[2:])) for node in nodes]
    return HexaryTrie.get_from_proof(bytes.fromhex(root[2:]), keccak256(key), decoded)


def test_a_proof_holds_against_the_state_root(inspecting: Devnet, transfer: dict[str, Any]) -> None:
    token, number = transfer["to"], transfer["blockNumber"]
    state_root = inspecting.rpc("eth_getBlockByNumber", number, False)["stateRoot"]
    proof = inspecting.rpc("eth_getProof", token, [BALANCE_SLOT, "0x7"], number)
    account = rlp.as_list(rlp.decode(proven(state_root, bytes.fromhex(token[2:]), proof["accountProof"])), 4)
    assert account[2] == bytes.fromhex(proof["storageHash"][2:])
    assert account[3] == bytes.fromhex(proof["codeHash"][2:])
    held, empty = proof["storageProof"]
    assert (held["value"], empty["value"]) == ("0x5", "0x0")
    assert proven(proof["storageHash"], bytes.fromhex(BALANCE_SLOT[2:]), held["proof"]) == b"\x05"
    assert proven(proof["storageHash"], (7).to_bytes(32, "big"), empty["proof"]) == b""


def test_an_access_list_makes_the_call_cheaper_or_says_what_it_costs(
    inspecting: Devnet, transfer: dict[str, Any]
) -> None:
    call = {"from": transfer["from"], "to": transfer["to"], "input": "0x" + (TRANSFER + TO + bytes(32)).hex()}
    made = inspecting.rpc("eth_createAccessList", call)
    assert BALANCE_SLOT in made["accessList"][0]["storageKeys"]
    limit = int(inspecting.rpc("eth_estimateGas", call | {"accessList": made["accessList"]}), 16)
    assert limit >= int(made["gasUsed"], 16)


def test_traces_tell_what_the_receipt_tells(inspecting: Devnet, transfer: dict[str, Any]) -> None:
    transaction_hash, number = transfer["transactionHash"], transfer["blockNumber"]
    calls = inspecting.rpc("debug_traceTransaction", transaction_hash, {"tracer": "callTracer"})
    assert (calls["from"], calls["to"], calls["gasUsed"]) == (transfer["from"], transfer["to"], transfer["gasUsed"])
    steps = inspecting.rpc("debug_traceTransaction", transaction_hash)
    assert (steps["failed"], steps["gas"]) == (False, int(transfer["gasUsed"], 16))
    assert steps["structLogs"][-1]["op"] == "RETURN"
    states = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    change = inspecting.rpc("debug_traceTransaction", transaction_hash, states)
    assert change["post"][transfer["to"]]["storage"][BALANCE_SLOT][-1] == "5"
    whole = inspecting.rpc("debug_traceBlockByNumber", number, {"tracer": "callTracer"})
    assert [row["result"] for row in whole if row["txHash"] == transaction_hash] == [calls]
    poor = {"from": Account.create().address, "to": transfer["to"], "input": "0x" + (TRANSFER + TO).hex() + "ff" * 32}
    refused = inspecting.rpc("debug_traceCall", poor, "latest", {"tracer": "callTracer"})
    assert refused["error"] == "execution reverted"


def test_viem_and_ethers_look_into_executions(
    inspecting: Devnet, contracts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run_script("inspect.mjs", inspecting, contracts, tmp_path_factory.mktemp("contracts"))


def test_web3py_looks_into_executions(inspecting: Devnet, transfer: dict[str, Any]) -> None:
    web3 = Web3(Web3.HTTPProvider(inspecting.url))
    token = Web3.to_checksum_address(transfer["to"])
    proof = web3.eth.get_proof(token, [2], transfer["blockNumber"])
    assert int.from_bytes(proof["storageProof"][0]["value"], "big") == 100
    data = "0x" + (TRANSFER + TO + word(1)).hex()
    call = {"from": Web3.to_checksum_address(transfer["from"]), "to": token, "data": data}
    made = web3.eth.create_access_list(call)
    assert BALANCE_SLOT in made["accessList"][0]["storageKeys"]
    wanted = {"blockStateCalls": [{"calls": [call]}], "traceTransfers": True}
    ((simulated,),) = [block["calls"] for block in web3.eth.simulate_v1(wanted, "latest")]
    assert (simulated["status"], len(simulated["logs"])) == (1, 1)
