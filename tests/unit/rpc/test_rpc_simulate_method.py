"""``eth_simulateV1`` in front of the engine: what is refused, how refusals are told, and how answers look."""

from typing import Any

import pytest

from sequencer.core.block import Header
from sequencer.core.calls import CallResult
from sequencer.core.errors import DeadlineExceeded, Reason, Rejected, Temporary
from sequencer.core.simulation import SimulatedBlock, SimulatedCall, Simulation
from sequencer.core.types import Address, Hash32
from sequencer.testing.backend import MemoryBackend
from tests.unit.rpc.calling import error, result
from tests.unit.rpc.sample_chain import USER, dispatcher, log, sample_backend, signed

METHOD = "eth_simulateV1"
ADDRESS = "0x" + USER.hex()
HASH = "0x" + "ab" * 32
PRECOMPILE, OTHER_PRECOMPILE = ("0x" + "00" * 19 + digit for digit in ("01", "02"))


async def asked(**fields: Any) -> Simulation:
    """What the engine is asked for these members of the parameter."""
    backend = sample_backend()
    await result(dispatcher(backend), METHOD, fields)
    (simulation,) = backend.simulations
    return simulation


async def test_every_member_reaches_the_engine() -> None:
    overrides = {
        "number": "0x9",
        "time": "0x10",
        "gasLimit": "0x11",
        "feeRecipient": ADDRESS,
        "prevRandao": "0x12",
        "baseFeePerGas": "0x13",
        "blobBaseFee": "0x14",
        "beaconRoot": HASH,
        "withdrawals": [],
        "difficulty": "0x0",
    }
    accounts = {PRECOMPILE: {"movePrecompileToAddress": ADDRESS, "balance": "0x1"}}
    call = {"from": ADDRESS, "nonce": "0x7", "maxFeePerBlobGas": "0x0"}
    simulation = await asked(
        blockStateCalls=[{"blockOverrides": overrides, "stateOverrides": accounts, "calls": [call]}, {}],
        validation=True,
        traceTransfers=True,
    )
    first, second = simulation.blocks
    block = first.block
    assert (block.number, block.timestamp, block.gas_limit, block.coinbase) == (9, 16, 17, USER)
    assert block.prev_randao == Hash32((18).to_bytes(32, "big"))
    assert (block.base_fee_per_gas, block.blob_base_fee, block.parent_beacon_block_root) == (19, 20, b"\xab" * 32)
    ((address, account),) = first.accounts.items()
    assert (address, account.moved_to, account.balance_wei) == (Address(bytes(19) + b"\1"), USER, 1)
    assert (first.calls[0].sender, first.calls[0].nonce) == (USER, 7)
    assert (second.block.number, second.accounts, second.calls) == (None, {}, ())
    assert (simulation.validation, simulation.trace_transfers, simulation.state_roots) == (True, True, True)
    assert simulation.fees == sample_backend().spec.fees


async def test_old_blocks_get_no_state_root() -> None:
    backend = sample_backend()
    served = dispatcher(backend, proof_range_limit=1)
    for block in ("0x1", "0x2", "latest"):
        await result(served, METHOD, {"blockStateCalls": [{}]}, block)
    assert [simulation.state_roots for simulation in backend.simulations] == [False, True, True]


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ([], -32602, "missing value for required argument 0"),
        ([[]], -32602, "expected an object"),
        ([{}], -32602, "empty input"),
        ([{"blockStateCalls": []}], -32602, "empty input"),
        ([{"blockStateCalls": {}}], -32602, "expected an array"),
        ([{"blockStateCalls": [{}], "validation": 1}], -32602, "expected a boolean"),
        ([{"blockStateCalls": [{"calls": [[]]}]}], -32602, "expected an object"),
        ([{"blockStateCalls": [{"calls": [{}] * 3_000}] * 2}], -32602, "more than 5000 calls"),
        ([{"blockStateCalls": [{}] * 257}], -38026, "too many blocks"),
        ([{"blockStateCalls": [{"blockOverrides": {"withdrawals": [{}]}}]}], -32602, "withdrawals"),
        ([{"blockStateCalls": [{"calls": [{"chainId": "0x1"}]}]}], -32000, "chainId does not match"),
        ([{"blockStateCalls": [{"calls": [{"blobVersionedHashes": [HASH]}]}]}], -32602, "blob"),
        (
            [{"blockStateCalls": [{"stateOverrides": {ADDRESS: {"state": {}, "stateDiff": {}}}}]}],
            -32602,
            "both 'state' and 'stateDiff'",
        ),
        (
            [{"blockStateCalls": [{"stateOverrides": {PRECOMPILE: {"movePrecompileToAddress": PRECOMPILE}}}]}],
            -38022,
            "names the account itself",
        ),
        (
            [
                {
                    "blockStateCalls": [
                        {
                            "stateOverrides": {
                                PRECOMPILE: {"movePrecompileToAddress": ADDRESS},
                                OTHER_PRECOMPILE: {"movePrecompileToAddress": ADDRESS},
                            }
                        }
                    ]
                }
            ],
            -38023,
            "name the same account",
        ),
        ([{"blockStateCalls": [{}]}, "0x3e8"], -32000, "header not found"),
    ],
)
async def test_what_is_refused_before_anything_runs(params: list[Any], code: int, words: str) -> None:
    backend = sample_backend()
    refused = await error(dispatcher(backend), METHOD, *params)
    assert refused["code"] == code
    assert words in refused["message"]
    assert not backend.simulations


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (Rejected(Reason.NONCE_TOO_LOW, "d"), -38010, "err: nonce too low: d"),
        (Rejected(Reason.NONCE_TOO_HIGH, "d"), -38011, "err: nonce too high: d"),
        (Rejected(Reason.FEE_CAP_BELOW_BASE_FEE), -38012, "err: max fee per gas less than block base fee"),
        (Rejected(Reason.TIP_ABOVE_FEE_CAP), -32602, "err: max priority fee per gas higher than max fee per gas"),
        (Rejected(Reason.INTRINSIC_GAS), -38013, "err: intrinsic gas too low"),
        (Rejected(Reason.INSUFFICIENT_FUNDS), -38014, "err: insufficient funds for gas * price + value"),
        (Rejected(Reason.INIT_CODE_TOO_LARGE), -38025, "err: max initcode size exceeded"),
        (Rejected(Reason.NONCE_MAX), -32603, "err: nonce has max value"),
        (Rejected(Reason.BLOCK_GAS_LIMIT, "5 >= 4"), -38015, "block gas limit reached: 5 >= 4"),
        (Rejected(Reason.BLOCK_NUMBER_ORDER, "2 <= 2"), -38020, "block numbers must be in order: 2 <= 2"),
        (Rejected(Reason.BLOCK_TIME_ORDER, "2 <= 2"), -38021, "block timestamps must be in order: 2 <= 2"),
        (Rejected(Reason.TOO_MANY_BLOCKS), -38026, "too many blocks"),
        (Rejected(Reason.INVALID_OVERRIDE, "d"), -32000, "invalid override: d"),
        (DeadlineExceeded("5 s"), -32002, "request timed out"),
        (Temporary("gone"), 4444, "pruned history unavailable"),
    ],
)
async def test_how_the_engines_refusals_are_told(raised: Exception, code: int, message: str) -> None:
    backend = sample_backend()

    def refuse(_: Simulation) -> list[SimulatedBlock]:
        raise raised

    backend.simulated = refuse
    refused = await error(dispatcher(backend), METHOD, {"blockStateCalls": [{}]})
    assert (refused["code"], refused["message"]) == (code, message)


def answering(header: Header) -> MemoryBackend:
    """A backend that simulates three calls: one that logs, one that reverts, one that halts."""
    backend = sample_backend()
    word = (32).to_bytes(32, "big")
    reverted = bytes.fromhex("08c379a0") + word + (2).to_bytes(32, "big") + b"no".ljust(32, b"\0")
    calls = (
        SimulatedCall(signed(1), CallResult(b"\1", 21_000, logs=(log(1), log(2))), 22_000, (0, 3)),
        SimulatedCall(signed(2), CallResult(reverted, 23_000, reverted=True), 23_000),
        SimulatedCall(signed(3), CallResult(b"", 24_000, halt="out of gas"), 24_000),
    )
    backend.simulated = lambda _: [SimulatedBlock(header, calls)]
    return backend


async def test_how_calls_look() -> None:
    header = sample_backend().blocks[-1].header
    (block,) = await result(dispatcher(answering(header)), METHOD, {"blockStateCalls": [{}]})
    assert block["transactions"] == ["0x" + signed(nonce).hash.hex() for nonce in (1, 2, 3)]
    logged, reverted, halted = block["calls"]
    assert logged["returnData"] == "0x01"
    assert (logged["status"], logged["gasUsed"], logged["maxUsedGas"]) == ("0x1", "0x5208", "0x55f0")
    assert [item["logIndex"] for item in logged["logs"]] == ["0x0", "0x3"]
    assert {item["blockHash"] for item in logged["logs"]} == {"0x" + header.hash.hex()}
    assert {item["transactionHash"] for item in logged["logs"]} == {"0x" + signed(1).hash.hex()}
    assert reverted["error"]["message"] == "execution reverted: no"
    assert (reverted["error"]["code"], reverted["error"]["data"][:10]) == (3, "0x08c379a0")
    assert (reverted["status"], reverted["returnData"]) == ("0x0", "0x")
    assert halted["error"] == {"message": "out of gas", "code": -32015}


async def test_whole_transactions_on_request() -> None:
    header = sample_backend().blocks[-1].header
    wanted = {"blockStateCalls": [{}], "returnFullTransactions": True}
    (block,) = await result(dispatcher(answering(header)), METHOD, wanted)
    assert [item["from"] for item in block["transactions"]] == [ADDRESS] * 3
