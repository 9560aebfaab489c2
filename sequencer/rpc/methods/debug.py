"""``debug_getRaw*``: blocks, receipts and transactions in the encoding that is hashed, to check them."""

from sequencer.core import rlp
from sequencer.core.block import Block
from sequencer.core.encoding import data, parse_hash
from sequencer.core.types import Hash32
from sequencer.rpc.block_id import BlockId, ByHash, Tag, block_id, find
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter


def raw_header(chain: ServedChain, wanted: BlockId) -> str:
    """The RLP of a sealed block's header."""
    header = chain.backend.header(_sealed(chain, wanted))
    if header is None:
        raise RpcError(Errors.PRUNED)
    return data(header.encoded)


def raw_block(chain: ServedChain, wanted: BlockId) -> str:
    """The RLP of a sealed block: header, transactions, no ommers, no withdrawals."""
    block = _block(chain, wanted)
    bodies = [t.raw if t.type == 0 else rlp.encode_bytes(t.raw) for t in block.transactions]
    parts = [block.header.encoded, rlp.encode_list(bodies), rlp.encode_list([])]
    if block.header.withdrawals_root is not None:
        parts.append(rlp.encode_list([]))
    return data(rlp.encode_list(parts))


def raw_receipts(chain: ServedChain, wanted: BlockId) -> list[str]:
    """The consensus receipts of a sealed block (EIP-2718)."""
    return [data(outcome.receipt) for outcome in _block(chain, wanted).outcomes]


def raw_transaction(chain: ServedChain, transaction_hash: Hash32) -> str:
    """The transaction as it was signed, whether it has a place or waits in the pool; ``0x`` for an unknown hash."""
    inclusion = chain.backend.inclusion(transaction_hash)
    found = chain.backend.pooled(transaction_hash) if inclusion is None else inclusion.transaction
    return "0x" if found is None else data(found.raw)


def bad_blocks(_: ServedChain) -> list[str]:
    """Always empty: a block of ours that fails its verification stops the node before anyone sees it."""
    return []


def _block(chain: ServedChain, wanted: BlockId) -> Block:
    block = chain.backend.block(_sealed(chain, wanted))
    if block is None:
        raise RpcError(Errors.PRUNED)
    return block


def _sealed(chain: ServedChain, wanted: BlockId) -> int:
    """The number of a sealed block, ``pending`` taken as ``latest``: an open block has no encoding yet."""
    at = find(chain.backend, Tag.LATEST if wanted is Tag.PENDING else wanted)
    if type(at) is not int:
        raise RpcError(Errors.SERVER, "header for hash not found" if isinstance(wanted, ByHash) else "header not found")
    return at


_BLOCK = Parameter("block", block_id)

METHODS = (
    Method("debug_getRawHeader", raw_header, (_BLOCK,)),
    Method("debug_getRawBlock", raw_block, (_BLOCK,), Kind.BLOCK),
    Method("debug_getRawReceipts", raw_receipts, (_BLOCK,), Kind.BLOCK),
    Method("debug_getRawTransaction", raw_transaction, (Parameter("transactionHash", parse_hash),)),
    Method("debug_getBadBlocks", bad_blocks),
)
