"""``sequencer_*``: promises, batches, and what else only a sequencer has (protocol, section 1)."""

from sequencer.core.encoding import parse_hash, quantity
from sequencer.core.flashblock import FLASHBLOCK_TYPE
from sequencer.core.types import Hash32
from sequencer.rpc import params
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.methods import ordering
from sequencer.rpc.methods.method import Method
from sequencer.rpc.params import Parameter
from sequencer.rpc.render import preconfirmation as promises
from sequencer.rpc.render import sequencing
from sequencer.rpc.render.json import Json
from sequencer.rpc.subscription_kinds import KINDS

TRANSACTION_TYPES = ("0x0", "0x1", "0x2", "0x4")


def preconfirmation(chain: ServedChain, transaction_hash: Hash32) -> Json | None:
    """The proof that the transaction has its place; null for an unknown hash."""
    promise = chain.backend.preconfirmation(transaction_hash)
    return None if promise is None else promises.preconfirmation(promise)


def transaction_status(chain: ServedChain, transaction_hash: Hash32) -> Json | None:
    """How far the transaction has come; null for an unknown hash."""
    status = chain.backend.transaction_status(transaction_hash)
    return None if status is None else sequencing.transaction_status(status)


def capabilities(chain: ServedChain) -> Json:
    """What this node offers, so that a client need not try."""
    config = chain.config
    return {
        "clientVersion": chain.client_version,
        "methods": list(chain.method_names),
        "subscriptions": list(KINDS),
        "transactionTypes": list(TRANSACTION_TYPES),
        "preconfirmation": {"type": FLASHBLOCK_TYPE, "signature": "eip712"},
        "ordering": ordering.capability(chain),
        "limits": {
            "bodyBytes": quantity(config.body_limit_bytes),
            "batch": quantity(config.batch_limit),
            "responseBytes": quantity(config.response_limit_bytes),
            "callGas": quantity(config.call_gas_cap),
            "logBlocks": quantity(config.log_range_limit),
            "logs": quantity(config.log_result_limit),
            "syncTimeoutMs": quantity(config.sync_timeout_limit_ms),
        },
    }


def sync_status(chain: ServedChain) -> Json:
    """The heads by finality, and the open block."""
    return sequencing.sync_status(chain.backend.heads, chain.backend.open_block())


def rollup_config(chain: ServedChain) -> Json:
    """The chain's constants."""
    return sequencing.rollup_config(chain.backend.spec, chain.backend.genesis_hash)


def sequencer_set(chain: ServedChain) -> Json:
    """Who sequences this chain."""
    return sequencing.sequencer_set(chain.backend.spec.sequencers)


def batch(chain: ServedChain, sequence: int) -> Json | None:
    """A batch by number; null when there is none yet."""
    posted = chain.backend.batch(sequence)
    return None if posted is None else sequencing.batch(posted)


def promise_ledger(chain: ServedChain) -> Json:
    """How many promises were issued and what became of them."""
    return sequencing.promise_ledger(chain.backend.promise_ledger())


_HASH = Parameter("transactionHash", parse_hash)

METHODS = (
    Method("sequencer_getPreconfirmation", preconfirmation, (_HASH,)),
    Method("sequencer_getTransactionStatus", transaction_status, (_HASH,)),
    Method("sequencer_capabilities", capabilities),
    Method("sequencer_syncStatus", sync_status),
    Method("sequencer_rollupConfig", rollup_config),
    Method("sequencer_getSequencerSet", sequencer_set),
    Method("sequencer_getBatch", batch, (Parameter("sequence", params.loose_integer),)),
    Method("sequencer_getPromiseLedger", promise_ledger),
)
