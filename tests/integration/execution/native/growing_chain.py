"""A chain whose every block follows from its number alone, so that two processes build the same one."""

from collections.abc import Sequence

from sequencer.core import transaction
from sequencer.core.block import Block, PayloadAttributes
from sequencer.core.keccak import keccak256
from sequencer.core.ports import ExecutionEngine
from sequencer.core.types import Address, Hash32
from tests.conformance.execution.bytecode import words
from tests.conformance.execution.chains import BASE_FEE, COINBASE, CONTRACTS, EXTRA_DATA, GAS_LIMIT, genesis
from tests.conformance.execution.users import User

GENESIS = genesis()


def attributes(number: int, parent_hash: Hash32) -> PayloadAttributes:
    """Of block ``number``."""
    return PayloadAttributes(
        number=number,
        parent_hash=parent_hash,
        timestamp=GENESIS.timestamp + number,
        gas_limit=GAS_LIMIT,
        base_fee_per_gas=BASE_FEE,
        coinbase=COINBASE,
        prev_randao=keccak256(b"%d" % number),
        extra_data=EXTRA_DATA,
    )


def transactions(number: int) -> Sequence[bytes]:
    """New accounts, new slots, changed slots and emptied ones."""
    nonce = (number - 1) * 4
    user = User(0)
    store = CONTRACTS["STORE"]
    return [
        user.send(Address(keccak256(b"new %d" % number)[12:]), 1, nonce=nonce),
        user.send(store, 0, words(number, number), nonce=nonce + 1),
        user.send(store, 0, words(number // 2, 0), nonce=nonce + 2),
        user.send(store, 0, words(1_000_000, number), nonce=nonce + 3),
    ]


def build(engine: ExecutionEngine, number: int, parent_hash: Hash32) -> Block:
    """Block ``number``, sealed and not committed."""
    engine.begin(attributes(number, parent_hash))
    for answer in engine.apply([transaction.recover(transaction.decode(raw)) for raw in transactions(number)]):
        assert not isinstance(answer, Exception), answer
    return engine.seal()
