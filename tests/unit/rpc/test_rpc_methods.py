"""What the methods answer, and what tags mean."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sequencer.core import flashblock as core_flashblock
from sequencer.core import rlp
from sequencer.core.calls import AccountView, CallResult
from sequencer.core.eip712 import Domain
from sequencer.core.encoding import parse_quantity
from sequencer.core.errors import DeadlineExceeded, Reason, Rejected, Temporary
from sequencer.core.flashblock import Flashblock, Preconfirmation, SignedFlashblock
from sequencer.core.keccak import EMPTY_HASH, keccak256
from sequencer.core.receipt import ExecutedOutcome
from sequencer.core.types import Hash32, Signature
from sequencer.core.views import Status, TransactionStatus
from sequencer.rpc.methods.method import Kind
from sequencer.rpc.methods.table import METHODS
from tests.unit.rpc.calling import error, result
from tests.unit.rpc.sample_chain import (
    CONTRACT,
    GWEI,
    OTHER,
    TOPIC,
    USER,
    block_on,
    dispatcher,
    every_type,
    log,
    promise_for,
    sample_backend,
    signed,
)

ZERO = "0x" + "00" * 32
ADDRESS = "0x" + USER.hex()


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


@pytest.mark.parametrize(
    ("tag", "number"),
    [("earliest", 0), ("finalized", 1), ("safe", 2), ("latest", 3), ("pending", 4), ("0x2", 2)],
)
async def test_tags_speak_of_finality(tag: str, number: int) -> None:
    block = await result(dispatcher(sample_backend()), "eth_getBlockByNumber", tag, False)
    assert block["number"] == hex(number)


async def test_pending_is_latest_while_no_block_is_open() -> None:
    backend = sample_backend()
    backend.open = None
    block = await result(dispatcher(backend), "eth_getBlockByNumber", "pending", False)
    assert block["hash"] == hexed(backend.blocks[3].header.hash)


@pytest.mark.parametrize("tag", ["0x4", "0x3e8", "0xffffffffffffffff"])
async def test_blocks_that_do_not_exist(tag: str) -> None:
    served = dispatcher(sample_backend())
    assert await result(served, "eth_getBlockByNumber", tag, True) is None
    assert await result(served, "eth_getBlockReceipts", tag) is None
    assert await result(served, "eth_getBlockTransactionCountByNumber", tag) is None
    assert await result(served, "eth_getUncleCountByBlockNumber", tag) is None
    assert await result(served, "eth_getTransactionByBlockNumberAndIndex", tag, "0x0") is None
    assert await error(served, "eth_getBalance", ADDRESS, tag) == {"code": -32000, "message": "header not found"}
    missing = await error(served, "eth_getBalance", ADDRESS, {"blockHash": "0x" + "12" * 32})
    assert missing == {"code": -32000, "message": "header for hash not found"}


async def test_block_size_is_that_of_its_rlp() -> None:
    backend = sample_backend()
    for sealed in backend.blocks:
        body = [t.raw if t.type == 0 else rlp.encode_bytes(t.raw) for t in sealed.transactions]
        encoded = rlp.encode_list([sealed.header.encoded, rlp.encode_list(body), b"\xc0", b"\xc0"])
        shown = await result(dispatcher(backend), "eth_getBlockByHash", hexed(sealed.header.hash), False)
        assert shown["size"] == hex(len(encoded))


async def test_header_fields_of_older_forks_are_left_out() -> None:
    backend = sample_backend()
    header = replace(backend.blocks[1].header, requests_hash=None, parent_beacon_block_root=None, withdrawals_root=None)
    backend.blocks[1] = replace(backend.blocks[1], header=header)
    block = await result(dispatcher(backend), "eth_getBlockByNumber", "0x1", False)
    assert not {"requestsHash", "parentBeaconBlockRoot", "withdrawalsRoot", "withdrawals"} & set(block)


@pytest.mark.parametrize("position", range(6))
async def test_every_transaction_type_is_shown_whole(position: int) -> None:
    backend = sample_backend()
    transaction = every_type()[position]
    shown = await result(dispatcher(backend), "eth_getTransactionByHash", hexed(transaction.hash))
    header = backend.blocks[1].header
    assert shown["blockHash"] == hexed(header.hash)
    assert (shown["blockNumber"], shown["transactionIndex"]) == ("0x1", hex(position))
    assert shown["blockTimestamp"] == hex(header.timestamp)
    assert (shown["type"], shown["nonce"], shown["from"]) == (hex(transaction.type), hex(position), ADDRESS)
    base, tip = header.base_fee_per_gas, transaction.max_priority_fee_per_gas
    assert parse_quantity(shown["gasPrice"]) == min(transaction.max_fee_per_gas, base + tip)
    expected = {
        0: {"v": hex(35 + 2 * 7357 + transaction.y_parity), "chainId": "0x1cbd"},
        1: {"v": hex(27 + transaction.y_parity)},
    }.get(position, {"v": hex(transaction.y_parity), "yParity": hex(transaction.y_parity), "chainId": "0x1cbd"})
    assert expected.items() <= shown.items()
    assert ("chainId" in shown) == (position != 1)
    assert ("accessList" in shown) == (transaction.type >= 1)
    assert ("maxFeePerGas" in shown) == (transaction.type >= 2)
    assert ("authorizationList" in shown) == (transaction.type == 4)
    by_index = await result(dispatcher(backend), "eth_getTransactionByBlockNumberAndIndex", "0x1", hex(position))
    assert by_index == shown


async def test_a_pooled_transaction_has_no_place() -> None:
    backend = sample_backend()
    (waiting,) = backend.pool.values()
    shown = await result(dispatcher(backend), "eth_getTransactionByHash", hexed(waiting.hash))
    assert {shown[name] for name in ("blockHash", "blockNumber", "blockTimestamp", "transactionIndex")} == {None}
    assert shown["gasPrice"] == hex(waiting.max_fee_per_gas)
    assert await result(dispatcher(backend), "eth_getTransactionReceipt", hexed(waiting.hash)) is None


async def test_unknown_hashes_are_null() -> None:
    served = dispatcher(sample_backend())
    for method in (
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "sequencer_getPreconfirmation",
        "sequencer_getTransactionStatus",
    ):
        assert await result(served, method, "0x" + "12" * 32) is None
    assert await result(served, "sequencer_getBatch", "0x63") is None


async def test_receipts_count_logs_through_the_block() -> None:
    backend = sample_backend()
    receipts = await result(dispatcher(backend), "eth_getBlockReceipts", "0x1")
    assert [log["logIndex"] for receipt in receipts for log in receipt["logs"]] == ["0x0", "0x1", "0x2"]
    assert receipts[3]["logs"][0]["transactionIndex"] == "0x3"
    assert receipts[3]["logs"][0]["blockTimestamp"] == hex(backend.blocks[1].header.timestamp)
    assert (receipts[5]["to"], receipts[5]["contractAddress"]) == (None, hexed(CONTRACT))
    assert [receipt["status"] for receipt in receipts] == ["0x1"] * 6
    for receipt in receipts:
        assert receipt == await result(dispatcher(backend), "eth_getTransactionReceipt", receipt["transactionHash"])
    (failed,) = await result(dispatcher(backend), "eth_getBlockReceipts", "latest")
    assert failed["status"] == "0x0"


async def test_a_preconfirmed_receipt_lacks_only_the_block_hash() -> None:
    backend = sample_backend()
    assert backend.open is not None
    transaction = backend.open.transactions[0]
    before = await result(dispatcher(backend), "eth_getTransactionReceipt", hexed(transaction.hash))
    assert before["blockHash"] == ZERO
    sealed = block_on(backend.blocks[-1].header, [transaction])  # type: ignore[list-item]
    backend.open = None
    backend.seal(sealed)
    after = await result(dispatcher(backend), "eth_getTransactionReceipt", hexed(transaction.hash))
    assert after == before | {"blockHash": hexed(sealed.header.hash)}


async def test_pending_nonce_counts_the_pool() -> None:
    backend = sample_backend()
    backend.account_views[USER] = AccountView(8, 10**18, EMPTY_HASH)
    served = dispatcher(backend)
    assert await result(served, "eth_getTransactionCount", ADDRESS, "latest") == "0x8"
    assert await result(served, "eth_getTransactionCount", ADDRESS, "pending") == "0x9"
    assert await result(served, "eth_getTransactionCount", ADDRESS) == "0x8"
    assert await result(served, "eth_getBalance", ADDRESS) == hex(10**18)


async def test_state_that_is_no_longer_kept() -> None:
    backend = sample_backend()
    backend.state_error = Temporary("state of block 1 is not kept")
    served = dispatcher(backend)
    reads: dict[str, list[Any]] = {
        "eth_getBalance": [ADDRESS, "0x1"],
        "eth_getCode": [ADDRESS, "0x1"],
        "eth_getStorageAt": [ADDRESS, "0x0", "0x1"],
        "eth_call": [{"to": ADDRESS}, "0x1"],
        "eth_estimateGas": [{"to": ADDRESS}, "0x1"],
    }
    for method, params in reads.items():
        assert await error(served, method, *params) == {"code": 4444, "message": "pruned history unavailable"}


async def test_storage_of_many_accounts() -> None:
    backend = sample_backend()
    slot, value = Hash32(bytes(31) + b"\5"), Hash32(b"\7" * 32)
    backend.slots[CONTRACT, slot] = value
    served = dispatcher(backend)
    assert await result(served, "eth_getStorageAt", hexed(CONTRACT), "0x5") == hexed(value)
    many = await result(served, "eth_getStorageValues", {hexed(CONTRACT): ["0x5", "0x6"], hexed(OTHER): ["0x5"]})
    assert many == {hexed(CONTRACT): [hexed(value), ZERO], hexed(OTHER): [ZERO]}


ERROR_STRING = bytes.fromhex(
    "08c379a0" + "20".rjust(64, "0") + "0a".rjust(64, "0") + b"user error".hex().ljust(64, "0")
)


@pytest.mark.parametrize("method", ["eth_call", "eth_estimateGas"])
@pytest.mark.parametrize(
    ("output", "message"),
    [
        (b"", "execution reverted"),
        (b"wrong-calldatasize", "execution reverted"),
        (ERROR_STRING, "execution reverted: user error"),
        (bytes.fromhex("4e487b71" + "11".rjust(64, "0")), "execution reverted: arithmetic underflow or overflow"),
        (bytes.fromhex("4e487b71" + "99".rjust(64, "0")), "execution reverted: unknown panic code: 0x99"),
        (ERROR_STRING[:40], "execution reverted"),
        (ERROR_STRING[:4] + b"\xff" * 64, "execution reverted"),
    ],
)
async def test_a_revert_is_code_3_with_its_data(method: str, output: bytes, message: str) -> None:
    backend = sample_backend()
    backend.answer_call = lambda _: CallResult(output, 1, reverted=True)
    backend.answer_estimate = lambda _: CallResult(output, 1, reverted=True)
    answer = await error(dispatcher(backend), method, {"to": ADDRESS})
    assert answer == {"code": 3, "message": message, "data": hexed(output)}


async def test_halts_and_deadlines() -> None:
    backend = sample_backend()
    backend.answer_call = lambda _: CallResult(b"", 1, halt="invalid opcode: INVALID")
    backend.answer_estimate = lambda _: CallResult(b"", 1, halt="out of gas")
    served = dispatcher(backend)
    assert await error(served, "eth_call", {}) == {"code": -32000, "message": "invalid opcode: INVALID"}
    exceeded = {"code": -32000, "message": "gas required exceeds allowance (30000000)"}
    assert await error(served, "eth_estimateGas", {}) == exceeded
    assert (await error(served, "eth_estimateGas", {"gas": "0x5208"}))["message"].endswith("(21000)")
    backend.state_error = DeadlineExceeded("5 s")
    assert await error(served, "eth_call", {}) == {"code": -32002, "message": "request timed out"}


async def test_fee_suggestions_stay_within_bounds() -> None:
    backend = sample_backend()
    assert await result(dispatcher(backend), "eth_maxPriorityFeePerGas") == hex(GWEI)
    assert await result(dispatcher(backend, maximum_tip_wei=5), "eth_maxPriorityFeePerGas") == "0x5"
    price = parse_quantity(await result(dispatcher(backend), "eth_gasPrice"))
    assert price == backend.next_base_fee() + GWEI
    backend.reset_to(0)
    assert await result(dispatcher(backend, minimum_tip_wei=7), "eth_maxPriorityFeePerGas") == "0x7"
    assert await result(dispatcher(backend), "eth_baseFee") == hex(backend.next_base_fee())


@pytest.mark.parametrize(
    ("count", "newest", "oldest", "rows"),
    [
        ("0x1", "latest", 3, 1),
        (2, "0x2", 1, 2),
        ("4", "latest", 0, 4),
        ("0x400", "latest", 0, 4),
        ("0x2", "pending", 3, 2),
    ],
)
async def test_fee_history(count: object, newest: str, oldest: int, rows: int) -> None:
    backend = sample_backend()
    history = await result(dispatcher(backend), "eth_feeHistory", count, newest, [20.0, 99])
    assert history["oldestBlock"] == hex(oldest)
    assert len(history["baseFeePerGas"]) == rows + 1
    assert len(history["gasUsedRatio"]) == len(history["reward"]) == rows
    assert all(len(row) == 2 for row in history["reward"])
    fees = [hex(block.header.base_fee_per_gas) for block in backend.blocks] + [hex(backend.next_base_fee())]
    known = fees[oldest : oldest + rows + 1]
    assert history["baseFeePerGas"][: len(known)] == known


async def test_fee_history_without_percentiles_or_blocks() -> None:
    served = dispatcher(sample_backend())
    assert "reward" not in await result(served, "eth_feeHistory", "0x1", "latest")
    empty = await result(served, "eth_feeHistory", "0x0", "latest", [])
    assert (empty["oldestBlock"], empty["baseFeePerGas"], empty["gasUsedRatio"]) == ("0x0", [], [])
    beyond = await error(served, "eth_feeHistory", "0x1", "0x9", [])
    assert beyond == {"code": -32000, "message": "request beyond head block: requested 9, head 3"}


async def test_logs_by_range_hash_address_and_topic() -> None:
    backend = sample_backend()
    served = dispatcher(backend)

    async def indexes(**query: Any) -> list[str]:
        return [log["logIndex"] for log in await result(served, "eth_getLogs", query)]

    assert await indexes() == []
    assert await indexes(fromBlock="0x0") == ["0x0", "0x1", "0x2"]
    assert await indexes(fromBlock="earliest", toBlock="latest") == ["0x0", "0x1", "0x2"]
    assert await indexes(blockHash=hexed(backend.blocks[1].header.hash)) == ["0x0", "0x1", "0x2"]
    assert await indexes(fromBlock="0x1", address=hexed(OTHER)) == ["0x2"]
    assert await indexes(fromBlock="0x1", topics=[hexed(TOPIC), [hexed(bytes(31) + b"\2")]]) == ["0x1"]
    assert await indexes(fromBlock="0x2") == []
    assert await indexes(fromBlock="0x63") == []
    unknown = await error(served, "eth_getLogs", {"blockHash": "0x" + "12" * 32})
    assert unknown == {"code": -32000, "message": "unknown block"}


async def test_log_limits_name_what_is_allowed() -> None:
    backend = sample_backend()
    wide = await error(dispatcher(backend, log_range_limit=2), "eth_getLogs", {"fromBlock": "0x0"})
    assert wide == {"code": -32005, "message": "query exceeds max block range 2, retry with the range 0-1"}
    backend.seal(block_on(backend.blocks[-1].header, [signed(7)], {0: (log(9),)}))
    many = await error(dispatcher(backend, log_result_limit=3), "eth_getLogs", {"fromBlock": "0x0"})
    assert many == {"code": -32005, "message": "query exceeds max results 3, retry with the range 0-3"}


async def test_sync_send_answers_receipt_and_promise() -> None:
    backend = sample_backend()
    assert backend.open is not None
    backend.pool.clear()
    backend.account_views[USER] = AccountView(8, 10**18, EMPTY_HASH)
    transaction = signed(8)
    admit = backend.submit

    async def submit(raw: bytes, **_: bool) -> Hash32:
        admitted = await admit(raw)
        assert backend.open is not None
        backend.open = replace(
            backend.open,
            transactions=(*backend.open.transactions, transaction),
            outcomes=(*backend.open.outcomes, *block_on(backend.blocks[-1].header, [transaction]).outcomes),
        )
        backend.promises[admitted] = promise_for(backend, admitted)
        return admitted

    backend.submit = submit  # type: ignore[method-assign]
    answer = await result(dispatcher(backend), "eth_sendRawTransactionSync", hexed(transaction.raw), "0x64")
    promise = answer.pop("preconfirmation")
    assert answer == await result(dispatcher(backend), "eth_getTransactionReceipt", hexed(transaction.hash))
    assert promise == await result(dispatcher(backend), "sequencer_getPreconfirmation", hexed(transaction.hash))
    again = await result(dispatcher(backend), "eth_sendRawTransactionSync", hexed(transaction.raw))
    assert again == answer | {"preconfirmation": promise}


@pytest.mark.parametrize(
    ("timeout_ms", "shown"),
    [(None, "2s"), (500, "0.5s"), ("0x1f4", "0.5s"), ("500", "0.5s"), (0, "2s"), (30_001, "2s"), (-1, "2s")],
)
async def test_sync_send_times_out_with_code_4(timeout_ms: object, shown: str) -> None:
    backend = sample_backend()
    backend.account_views[USER] = AccountView(8, 10**18, EMPTY_HASH)
    backend.pool.clear()
    transaction = signed(8)
    answer = await error(dispatcher(backend), "eth_sendRawTransactionSync", hexed(transaction.raw), timeout_ms)
    assert answer == {
        "code": 4,
        "message": f"the transaction was added to the mempool but wasn't processed in {shown}",
        "data": hexed(transaction.hash),
    }


async def test_sync_send_refuses_a_nonce_gap_with_code_6() -> None:
    backend = sample_backend()
    backend.account_views[USER] = AccountView(8, 10**18, EMPTY_HASH)
    transaction = signed(11)
    answer = await error(dispatcher(backend), "eth_sendRawTransactionSync", hexed(transaction.raw))
    assert answer == {"code": 6, "message": "nonce too high: next nonce 9, tx nonce 11", "data": "0x9"}
    assert transaction.hash not in backend.pool


async def test_sync_send_when_ingress_is_stopped_is_code_5() -> None:
    backend = sample_backend()
    backend.refusal = Temporary("ingress is stopped")
    transaction = signed(0)
    answer = await error(dispatcher(backend), "eth_sendRawTransactionSync", hexed(transaction.raw))
    assert answer == {
        "code": 5,
        "message": "the node is not ready to process the transaction: ingress is stopped",
        "data": hexed(transaction.hash),
    }


async def test_sync_send_of_a_transaction_that_is_dropped_meanwhile() -> None:
    backend = sample_backend()
    transaction = signed(0)
    backend.dropped[transaction.hash] = Rejected(Reason.INSUFFICIENT_FUNDS)
    answer = await error(dispatcher(backend), "eth_sendRawTransactionSync", hexed(transaction.raw))
    assert answer == {"code": -32000, "message": "insufficient funds for gas * price + value"}


async def test_sync_send_waits_for_what_is_known_already() -> None:
    backend = sample_backend()
    (waiting,) = backend.pool.values()
    backend.account_views[USER] = AccountView(8, 10**18, EMPTY_HASH)
    known = Rejected(Reason.ALREADY_KNOWN)

    async def submit(raw: bytes, **_: bool) -> Hash32:
        raise known

    backend.submit = submit  # type: ignore[method-assign]
    answer = await error(dispatcher(backend), "eth_sendRawTransactionSync", hexed(waiting.raw), 10)
    assert (answer["code"], answer["data"]) == (4, hexed(waiting.hash))


async def test_sync_send_refuses_garbage_like_any_send() -> None:
    answer = await error(dispatcher(sample_backend()), "eth_sendRawTransactionSync", "0x1234")
    assert answer["code"] == -32000


async def test_a_preconfirmation_verifies_from_its_json_alone() -> None:
    backend = sample_backend()
    (promise,) = backend.promises.values()
    shown = await result(dispatcher(backend), "sequencer_getPreconfirmation", hexed(promise.transaction_hash))
    assert list(shown["flashblock"]) == [
        field.split(" ")[1] for field in core_flashblock.FLASHBLOCK_TYPE.split("(")[1].rstrip(")").split(",")
    ]

    def value(text: str) -> Any:
        return bytes.fromhex(text[2:]) if len(text) > 40 else int(text, 16)

    rebuilt = Preconfirmation(
        Domain(
            int(shown["domain"]["chainId"], 16),
            value(shown["domain"]["verifyingContract"]),
            value(shown["domain"]["salt"]),
        ),
        value(shown["txHash"]),
        value(shown["position"]),
        value(shown["outcomeHash"]),
        SignedFlashblock(
            Flashblock(*[value(text) for text in shown["flashblock"].values()]),
            value(shown["signer"]),
            Signature(value(shown["signature"])),
        ),
        tuple(map(value, shown["orderBranch"])),
        tuple(map(value, shown["outcomeBranch"])),
    )
    assert all(check.ok for check in core_flashblock.verify(rebuilt))
    assert rebuilt == promise


async def test_the_sequencers_own_methods() -> None:
    backend = sample_backend()
    served = dispatcher(backend)
    (promise,) = backend.promises.values()
    assert await result(served, "sequencer_getTransactionStatus", hexed(promise.transaction_hash)) == {
        "status": "preconfirmed",
        "times": {"received": hex(1_700_000_000_100), "preconfirmed": hex(1_700_000_000_105)},
    }
    posted = replace(backend.batches[0], transaction_bytes=500, fee=3_000, fee_unit="utia")
    backend.statuses[promise.transaction_hash] = TransactionStatus(Status.SAFE, share=posted.share(100))
    assert await result(served, "sequencer_getTransactionStatus", hexed(promise.transaction_hash)) == {
        "status": "safe",
        "times": {},
        "posting": {
            "batch": "0x0",
            "layer": "local",
            "height": "0x7",
            "rawBytes": hex(100),
            "bytes": hex(200),
            "fee": hex(600),
            "feeUnit": "utia",
        },
    }
    status = await result(served, "sequencer_syncStatus")
    assert [status[head]["number"] for head in ("unsafe", "safe", "finalized")] == ["0x3", "0x2", "0x1"]
    assert status["pending"] == {"number": "0x4", "transactionCount": "0x1"}
    assert (await result(served, "sequencer_rollupConfig"))["chainId"] == "0x1cbd"
    assert len((await result(served, "sequencer_getSequencerSet"))["members"]) == 1
    assert (await result(served, "sequencer_getBatch", "0x0"))["lastBlock"] == "0x2"
    assert await result(served, "sequencer_getPromiseLedger") == {
        "issued": "0x1",
        "kept": "0x1",
        "broken": "0x0",
        "slashed": "0x0",
    }
    capabilities = await result(served, "sequencer_capabilities")
    assert capabilities["methods"] == list(METHODS)
    assert "preconfirmations" in capabilities["subscriptions"]


async def test_the_small_ones() -> None:
    served = dispatcher(sample_backend())
    assert await result(served, "net_version") == "7357"
    assert await result(served, "net_listening") is True
    assert await result(served, "net_peerCount") == "0x0"
    assert await result(served, "web3_clientVersion") == "rollup-sequencer/test"
    assert await result(served, "web3_sha3", "0x68656c6c6f") == hexed(keccak256(b"hello"))
    assert await result(served, "eth_syncing") is False
    assert await result(served, "eth_accounts") == []
    assert await result(served, "txpool_status") == {"pending": "0x1", "queued": "0x0"}
    modules = await result(served, "rpc_modules")
    assert set(modules) == {"eth", "net", "web3", "txpool", "debug", "sequencer", "rpc"}


def test_methods_that_take_time_run_under_a_limit() -> None:
    for method in METHODS.values():
        assert not method.awaits or method.kind not in (Kind.MEMORY, Kind.SESSION), method.name


def test_outcomes_are_what_the_core_makes() -> None:
    assert isinstance(sample_backend().blocks[1].outcomes[0], ExecutedOutcome)


async def test_receipts_of_a_long_block_let_others_run_between() -> None:
    backend = sample_backend()
    block = block_on(backend.blocks[-1].header, [signed(100 + each) for each in range(120)], {})
    backend.seal(block)
    done, turns = asyncio.create_task(result(dispatcher(backend), "eth_getBlockReceipts", "latest")), 0
    while not done.done():
        await asyncio.sleep(0)
        turns += 1
    assert [item["transactionIndex"] for item in done.result()] == [hex(index) for index in range(120)]
    assert turns > 120 // 50
