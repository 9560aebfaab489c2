"""``debug_getRaw*`` and ``txpool_*``: what is hashed, and what waits."""

import pytest

from sequencer.core import rlp
from sequencer.core.keccak import keccak256
from tests.unit.rpc.calling import error, result
from tests.unit.rpc.sample_chain import OTHER, USER, dispatcher, every_type, sample_backend, signed

SENDER = "0x" + USER.hex()


async def raw(method: str, *params: object) -> bytes:
    return bytes.fromhex((await result(dispatcher(sample_backend()), method, *params))[2:])


@pytest.mark.parametrize("tag", ["0x1", "latest", "pending", "finalized"])
async def test_a_raw_header_hashes_to_the_block_hash(tag: str) -> None:
    shown = await result(dispatcher(sample_backend()), "eth_getBlockByNumber", tag, False)
    wanted = shown["hash"] if int(shown["hash"], 16) else shown["parentHash"]
    assert "0x" + keccak256(await raw("debug_getRawHeader", tag)).hex() == wanted


async def test_a_raw_block_holds_header_and_transactions() -> None:
    backend = sample_backend()
    encoded = await raw("debug_getRawBlock", "0x1")
    header, bodies, uncles, withdrawals = rlp.decode_list(encoded)
    assert rlp.encode(header) == backend.blocks[1].header.encoded
    raws = [rlp.encode(item) if isinstance(item, list) else item for item in bodies]
    assert raws == [transaction.raw for transaction in every_type()]
    assert uncles == withdrawals == []
    shown = await result(dispatcher(backend), "eth_getBlockByNumber", "0x1", False)
    assert int(shown["size"], 16) == len(encoded)


async def test_raw_receipts_are_what_promises_hash() -> None:
    receipts = await result(dispatcher(sample_backend()), "debug_getRawReceipts", "0x1")
    promised = [outcome.outcome_hash for outcome in sample_backend().blocks[1].outcomes]
    assert [keccak256(bytes.fromhex(receipt[2:])) for receipt in receipts] == promised


@pytest.mark.parametrize("nonce", [0, 6, 7, 8], ids=["sealed", "failed", "pre-confirmed", "waiting"])
async def test_a_raw_transaction_is_as_it_was_signed(nonce: int) -> None:
    transaction = every_type()[0] if nonce == 0 else signed(nonce)
    assert await raw("debug_getRawTransaction", "0x" + transaction.hash.hex()) == transaction.raw


async def test_what_is_not_there() -> None:
    served = dispatcher(sample_backend())
    assert await result(served, "debug_getRawTransaction", "0x" + "99" * 32) == "0x"
    assert await result(served, "debug_getBadBlocks") == []
    for method in ("debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts"):
        assert (await error(served, method, "0x3e8"))["message"] == "header not found"


async def test_the_pool_is_listed_by_sender_and_nonce() -> None:
    backend = sample_backend()
    for nonce in (11, 12):
        waiting = signed(nonce)
        backend.pool[waiting.hash] = waiting
        backend.queued.add(waiting.hash)
    served = dispatcher(backend)
    content = await result(served, "txpool_content")
    assert {where: {sender: list(by_nonce) for sender, by_nonce in content[where].items()} for where in content} == {
        "pending": {SENDER: ["8"]},
        "queued": {SENDER: ["11", "12"]},
    }
    assert content["pending"][SENDER]["8"]["hash"] == "0x" + signed(8).hash.hex()
    own = await result(served, "txpool_contentFrom", SENDER)
    assert own == {where: content[where][SENDER] for where in content}
    assert await result(served, "txpool_contentFrom", "0x" + OTHER.hex()) == {"pending": {}, "queued": {}}
    lines = await result(served, "txpool_inspect")
    assert lines["pending"][SENDER]["8"] == f"0x{OTHER.hex()}: 1 wei + 100000 gas × 10000000000 wei"  # noqa: RUF001


async def test_a_pool_too_large_to_list_is_refused() -> None:
    backend = sample_backend()
    for nonce in range(9, 15):
        backend.pool[signed(nonce).hash] = signed(nonce)
    refused = await error(dispatcher(backend, pool_content_limit=6), "txpool_content")
    assert refused["code"] == -32005
    assert "7 transactions" in refused["message"]
