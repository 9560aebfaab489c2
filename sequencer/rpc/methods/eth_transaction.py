"""``eth_*``: transactions and receipts by hash. Both answer from pre-confirmation on."""

from sequencer.core.encoding import parse_hash
from sequencer.core.types import Hash32
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.methods.method import Method
from sequencer.rpc.params import Parameter
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.receipt import receipt
from sequencer.rpc.render.transaction import included_transaction, pooled_transaction


def transaction_by_hash(chain: ServedChain, transaction_hash: Hash32) -> Json | None:
    """The transaction, whether it has a place or waits in the pool."""
    inclusion = chain.backend.inclusion(transaction_hash)
    if inclusion is not None:
        return included_transaction(inclusion)
    waiting = chain.backend.pooled(transaction_hash)
    return None if waiting is None else pooled_transaction(waiting)


def transaction_receipt(chain: ServedChain, transaction_hash: Hash32) -> Json | None:
    """The receipt, once the transaction has a place."""
    inclusion = chain.backend.inclusion(transaction_hash)
    return None if inclusion is None else receipt(inclusion)


_HASH = Parameter("transactionHash", parse_hash)

METHODS = (
    Method("eth_getTransactionByHash", transaction_by_hash, (_HASH,)),
    Method("eth_getTransactionReceipt", transaction_receipt, (_HASH,)),
)
