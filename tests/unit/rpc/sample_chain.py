"""A small chain with every kind of transaction, for tests of the JSON-RPC server.

::

    block 0   genesis
    block 1   legacy, legacy without chain id, type 1, type 2, type 4, a creation; two of them log
    block 2   empty
    block 3   one transfer that failed
    block 4   open: one pre-confirmed transfer with its promise
    pool      one type-2 transfer
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eth_account import Account
from prometheus_client import CollectorRegistry

from sequencer.core import bloom, secp256k1
from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.chain_spec import ChainSpec, ForkTime
from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Flashblock, Preconfirmation, SignedFlashblock, order_leaf, outcome_leaf
from sequencer.core.genesis import Genesis
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.receipt import Log, Outcome, outcome
from sequencer.core.transaction import RecoveredTransaction, decode, recover
from sequencer.core.types import Address, Hash32
from sequencer.core.views import OpenBlock, PostedBatch, Status, TransactionStatus
from sequencer.rpc.backend import Backend
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.dispatcher import Dispatcher
from sequencer.rpc.filters import FilterRegistry
from sequencer.rpc.methods.table import METHODS
from sequencer.rpc.metrics import RpcMetrics
from sequencer.testing.backend import MemoryBackend

CHAIN_ID = 7357
GWEI = 10**9
KEY = keccak256(b"user")
SEQUENCER_KEY = keccak256(b"sequencer")
USER = secp256k1.address_of_private_key(KEY)
SEQUENCER = secp256k1.address_of_private_key(SEQUENCER_KEY)
CONTRACT = Address(b"\xc0" * 20)
OTHER = Address(b"\x0e" * 20)
TOPIC = keccak256(b"Transfer(address,address,uint256)")
GAS_LIMIT = 30_000_000

SPEC = ChainSpec(
    name="sample",
    chain_id=CHAIN_ID,
    forks=(ForkTime("prague", 0),),
    gas_limit=GAS_LIMIT,
    seed=keccak256(b"seed"),
    sequencers=SequencerSet(0, (SequencerInfo(SEQUENCER, SEQUENCER),)),
)


def signed(nonce: int, **fields: Any) -> RecoveredTransaction:
    """A transaction of the user; type 2 unless the fields say otherwise."""
    base: dict[str, Any] = {"to": OTHER, "value": 1, "gas": 100_000, "nonce": nonce, "chainId": CHAIN_ID}
    if "gasPrice" not in fields:
        base |= {"type": 2, "maxFeePerGas": 10 * GWEI, "maxPriorityFeePerGas": GWEI}
    transaction = {key: value for key, value in (base | fields).items() if value is not None}
    return recover(decode(bytes(Account.sign_transaction(transaction, KEY).raw_transaction)))


def every_type() -> list[RecoveredTransaction]:
    """One transaction of every type that the chain takes, with nonces from 0 on."""
    listed = [{"address": "0x" + OTHER.hex(), "storageKeys": ["0x" + bytes(32).hex()]}]
    authorization = Account.sign_authorization({"chainId": CHAIN_ID, "address": CONTRACT, "nonce": 0}, SEQUENCER_KEY)
    return [
        signed(0, gasPrice=5 * GWEI),
        signed(1, gasPrice=5 * GWEI, chainId=None),
        signed(2, gasPrice=5 * GWEI, type=1, accessList=listed),
        signed(3, to=CONTRACT, data=b"\x01\x02", accessList=listed),
        signed(4, type=4, authorizationList=[authorization]),
        signed(5, to=None, data=b"\x60\x00"),
    ]


def outcomes_of(
    transactions: Sequence[RecoveredTransaction], logs: dict[int, tuple[Log, ...]], *, succeeded: bool = True
) -> tuple[Outcome, ...]:
    """21,000 gas each, with ``logs`` by position."""
    return tuple(
        outcome(
            transaction.type,
            succeeded,
            21_000,
            21_000 * (position + 1),
            CONTRACT if transaction.to is None else None,
            logs.get(position, ()),
        )
        for position, transaction in enumerate(transactions)
    )


def block_on(
    parent: Header,
    transactions: Sequence[RecoveredTransaction] = (),
    logs: dict[int, tuple[Log, ...]] | None = None,
    *,
    succeeded: bool = True,
) -> Block:
    """A block that follows ``parent``."""
    outcomes = outcomes_of(transactions, logs or {}, succeeded=succeeded)
    header = Header(
        parent_hash=parent.hash,
        coinbase=SEQUENCER,
        state_root=keccak256(b"state"),
        logs_bloom=bloom.union([item.logs_bloom for item in outcomes]),
        number=parent.number + 1,
        gas_limit=GAS_LIMIT,
        gas_used=outcomes[-1].cumulative_gas_used if outcomes else 0,
        timestamp=parent.timestamp + 1,
        extra_data=SPEC.ordering.policy_id,
        prev_randao=SPEC.prev_randao(parent.number + 1),
        base_fee_per_gas=SPEC.fees.next_base_fee(parent.base_fee_per_gas, parent.gas_used, parent.gas_limit),
    )
    return Block(header, tuple(transactions), outcomes)


def open_on(parent: Header, transactions: Sequence[RecoveredTransaction]) -> OpenBlock:
    """An open block that follows ``parent``."""
    attributes = PayloadAttributes(
        number=parent.number + 1,
        parent_hash=parent.hash,
        timestamp=parent.timestamp + 1,
        gas_limit=GAS_LIMIT,
        base_fee_per_gas=SPEC.fees.next_base_fee(parent.base_fee_per_gas, parent.gas_used, parent.gas_limit),
        coinbase=SEQUENCER,
        prev_randao=SPEC.prev_randao(parent.number + 1),
        extra_data=SPEC.ordering.policy_id,
    )
    return OpenBlock(attributes, tuple(transactions), outcomes_of(transactions, {}))


def promise_for(backend: MemoryBackend, transaction_hash: Hash32) -> Preconfirmation:
    """A promise for a transaction that is the only one of its flashblock, really signed."""
    inclusion = backend.inclusion(transaction_hash)
    assert inclusion is not None
    flashblock = Flashblock(
        epoch=0,
        term=1,
        reset=0,
        block_number=inclusion.block.number,
        index=inclusion.position,
        first_position=inclusion.position,
        transaction_count=1,
        parent=backend.genesis_hash,
        order_root=order_leaf(inclusion.position, transaction_hash),
        outcomes_root=outcome_leaf(inclusion.position, inclusion.outcome.outcome_hash),
        ordering_policy=SPEC.ordering.policy_id,
        timestamp_ms=1_700_000_000_123,
        post_by=1_700_003_600,
    )
    domain = Domain(CHAIN_ID, SPEC.verifying_contract, backend.genesis_hash)
    signature = secp256k1.sign(SEQUENCER_KEY, domain.digest(flashblock.struct_hash))
    signed_flashblock = SignedFlashblock(flashblock, SEQUENCER, signature)
    return Preconfirmation(
        domain, transaction_hash, inclusion.position, inclusion.outcome.outcome_hash, signed_flashblock, (), ()
    )


def log(number: int = 0, address: Address = CONTRACT) -> Log:
    """A log whose second topic and data are ``number``."""
    word = number.to_bytes(32, "big")
    return Log(address, (TOPIC, Hash32(word)), word)


def sample_backend() -> MemoryBackend:
    """The chain of the module's docstring."""
    backend = MemoryBackend(SPEC, Genesis(SPEC, 1_700_000_000, {}).header(keccak256(b"genesis state")))
    backend.seal(block_on(backend.blocks[-1].header, every_type(), {0: (log(1), log(2)), 3: (log(3, OTHER),)}))
    backend.seal(block_on(backend.blocks[-1].header))
    backend.seal(block_on(backend.blocks[-1].header, [signed(6)], succeeded=False))
    backend.open = open_on(backend.blocks[-1].header, [signed(7)])
    promised = backend.open.transactions[0].hash
    backend.promises[promised] = promise_for(backend, promised)
    backend.statuses[promised] = TransactionStatus(
        Status.PRECONFIRMED, {Status.RECEIVED: 1_700_000_000_100, Status.PRECONFIRMED: 1_700_000_000_105}
    )
    waiting = signed(8)
    backend.pool[waiting.hash] = waiting
    backend.heads = replace(backend.heads, safe=backend.blocks[2].header.ref, finalized=backend.blocks[1].header.ref)
    backend.batches[0] = PostedBatch(0, keccak256(b"batch"), 1, 2, keccak256(b"data"), "final", "local", 7, 1_000)
    return backend


def served(backend: Backend, **settings: Any) -> ServedChain:
    """The chain as handlers get it, with a clock that stands still and ids that count."""
    config = RpcConfig(**settings)
    ids = iter(range(1, 1_000_000))
    filters = FilterRegistry(config.filter_limit, round(config.filter_timeout_s * 1000), config.filter_results_limit)
    return ServedChain(backend, config, filters, lambda: 0, lambda: next(ids), "rollup-sequencer/test", tuple(METHODS))


def dispatcher(backend: Backend, **settings: Any) -> Dispatcher:
    """A dispatcher over the chain; a fatal error fails the test."""

    def fail(error: Exception) -> None:
        raise AssertionError(error)

    return Dispatcher(served(backend, **settings), RpcMetrics(CollectorRegistry()), fail)
