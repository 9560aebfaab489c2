"""``eth_*``: blocks, and what can be counted in them."""

from typing import Final

import orjson

from sequencer.core.block import Block
from sequencer.core.encoding import parse_hash, quantity
from sequencer.core.types import Hash32
from sequencer.core.views import Inclusion, OpenBlock
from sequencer.rpc.block_id import BlockId, ByHash, Tag, block_id, block_number_or_tag, find
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, boolean, optional
from sequencer.rpc.params import quantity as parse_index
from sequencer.rpc.render import block as render
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.receipt import receipt
from sequencer.rpc.render.transaction import included_transaction
from sequencer.rpc.render.turns import in_turns

_RECEIPTS_IN_ONE_TURN: Final = 50
"""Rendered before others get their turn: about a millisecond."""


def find_block(chain: ServedChain, wanted: BlockId) -> Block | OpenBlock | None:
    """The block, if it exists; ``pending`` is the newest sealed one while none is open."""
    at = find(chain.backend, wanted)
    if at == "pending":
        return chain.backend.open_block() or chain.backend.block(chain.backend.heads.unsafe.number)
    return None if at is None else chain.backend.block(at)


def included(block: Block | OpenBlock) -> list[Inclusion]:
    """Every transaction of the block at its place."""
    head = block.header if isinstance(block, Block) else block.attributes
    return render.inclusions(head, block.transactions, block.outcomes)


def block_by_number(chain: ServedChain, wanted: BlockId, full: bool) -> Json | None:
    """The block with its transactions, whole or by hash; null when there is none."""
    block = find_block(chain, wanted)
    if block is None:
        return None
    return render.block(block, full=full) if isinstance(block, Block) else render.open_block(block, full=full)


def block_by_hash(chain: ServedChain, block_hash: Hash32, full: bool) -> Json | None:
    """As ``block_by_number``."""
    return block_by_number(chain, ByHash(block_hash), full)


async def block_receipts(chain: ServedChain, wanted: BlockId) -> list[orjson.Fragment] | None:
    """The receipts of all transactions of a block."""
    block = find_block(chain, wanted)
    return None if block is None else await in_turns(included(block), receipt, _RECEIPTS_IN_ONE_TURN)


def transaction_count_by_number(chain: ServedChain, wanted: BlockId) -> str | None:
    """How many transactions the block has."""
    block = find_block(chain, wanted)
    return None if block is None else quantity(len(block.transactions))


def transaction_count_by_hash(chain: ServedChain, block_hash: Hash32) -> str | None:
    """As by number."""
    return transaction_count_by_number(chain, ByHash(block_hash))


def uncle_count_by_number(chain: ServedChain, wanted: BlockId) -> str | None:
    """Zero for every block that exists."""
    return None if find(chain.backend, wanted) is None else "0x0"


def uncle_count_by_hash(chain: ServedChain, block_hash: Hash32) -> str | None:
    """As by number."""
    return uncle_count_by_number(chain, ByHash(block_hash))


def transaction_by_number_and_index(chain: ServedChain, wanted: BlockId, index: int) -> Json | None:
    """The transaction at a place, if both block and place exist."""
    block = find_block(chain, wanted)
    if block is None or index >= len(block.transactions):
        return None
    return included_transaction(included(block)[index])


def transaction_by_hash_and_index(chain: ServedChain, block_hash: Hash32, index: int) -> Json | None:
    """As by number."""
    return transaction_by_number_and_index(chain, ByHash(block_hash), index)


_NUMBER = Parameter("block", block_number_or_tag)
_HASH = Parameter("blockHash", parse_hash)
_FULL = optional("hydrated", boolean, default=False)
_INDEX = Parameter("index", parse_index)
_OR_LATEST = optional("block", block_number_or_tag, Tag.LATEST)

METHODS = (
    Method("eth_getBlockByNumber", block_by_number, (_NUMBER, _FULL), Kind.BLOCK),
    Method("eth_getBlockByHash", block_by_hash, (_HASH, _FULL), Kind.BLOCK),
    Method("eth_getBlockReceipts", block_receipts, (Parameter("block", block_id),), Kind.BLOCK),
    Method("eth_getBlockTransactionCountByNumber", transaction_count_by_number, (_OR_LATEST,), Kind.BLOCK),
    Method("eth_getBlockTransactionCountByHash", transaction_count_by_hash, (_HASH,), Kind.BLOCK),
    Method("eth_getUncleCountByBlockNumber", uncle_count_by_number, (_NUMBER,)),
    Method("eth_getUncleCountByBlockHash", uncle_count_by_hash, (_HASH,)),
    Method("eth_getTransactionByBlockNumberAndIndex", transaction_by_number_and_index, (_NUMBER, _INDEX), Kind.BLOCK),
    Method("eth_getTransactionByBlockHashAndIndex", transaction_by_hash_and_index, (_HASH, _INDEX), Kind.BLOCK),
)
