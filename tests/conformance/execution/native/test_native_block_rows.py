"""The block store's rows of executed blocks: Rust and Python give the same bytes, and they read as the block."""

from typing import Any

import pytest

from sequencer.core.block import Block
from sequencer.storage import block_rows
from sequencer.storage.block_rows import PythonBlockRows
from sequencer.storage.blocks import BlockStore
from sequencer.storage.memory import MemoryStorage
from tests.conformance.execution.bytecode import words
from tests.conformance.execution.chains import CONTRACTS, Chain
from tests.unit.storage.sample_blocks import contents

native: Any = pytest.importorskip(
    "rollup_sequencer_native", reason="the native engine is not built: `make native` builds it"
)


def executed(chain: Chain) -> Block:
    """Transfers of two types, logs, a creation, and a failure with its logs taken back."""
    users = chain.users
    return chain.block(
        users[0].send(CONTRACTS["LOG"], 0, words(7, 8)),
        users[1].send(users[0].address, 1, kind=0),
        users[2].send(b"", 0, bytes.fromhex("5f5ff3")),
        users[3].send(CONTRACTS["LOG_AND_REVERT"], 0, words(7, 8)),
        users[0].send(CONTRACTS["LOG"], 0, words(9, 8)),
        users[4].send(CONTRACTS["LOG"], 0, words(7, 1)),
    )


def test_both_give_the_same_rows(chain: Chain) -> None:
    for block in (executed(chain), chain.block()):
        rows, twin = block_rows.block_rows(block), PythonBlockRows(block)
        assert isinstance(rows, native.BlockRows)
        assert (rows.body, rows.receipts) == (twin.body, twin.receipts)
        index = list(rows.index(0, 1000).items())
        assert index == list(twin.index(0, 1000).items()) == sorted(index)


def test_index_rows_come_in_pieces(chain: Chain) -> None:
    rows = block_rows.block_rows(executed(chain))
    pieces = [rows.index(start, 4) for start in range(0, 20, 4)]
    assert {key: value for piece in pieces for key, value in piece.items()} == rows.index(0, 1000)
    assert [len(piece) for piece in pieces] == [4, 4, 2, 0, 0]  # six transactions; two topics, an address, and any


async def test_they_read_as_the_block(chain: Chain) -> None:
    block = executed(chain)
    storage = MemoryStorage()
    store = BlockStore(storage)
    await store.put(block, [])
    found = BlockStore(storage).block(block.header.number)
    assert found is not None
    assert contents(found) == contents(block)


def test_objects_of_others_take_the_way_through_python(chain: Chain) -> None:
    block = executed(chain)
    stored = Block(block.header, block.transactions, tuple(map(_Copy, block.outcomes)))
    rows = block_rows.block_rows(stored)
    assert isinstance(rows, PythonBlockRows)
    assert rows.receipts == block_rows.block_rows(block).receipts


class _Copy:
    """An outcome that is not the extension's."""

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outcome, name)
