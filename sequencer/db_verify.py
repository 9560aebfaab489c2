"""Executes a stored chain again, on one or more engines side by side, and names the first difference.

Every engine starts from genesis in an empty folder, so nothing that a damaged state could hide is trusted. The
stored chain is one of the things compared: an engine that agrees with another but not with what was promised
has found a difference too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.encoding import data
from sequencer.core.errors import Fatal, Rejected
from sequencer.core.ports import EntryRules, ExecutionEngine, SenderRecovery
from sequencer.core.types import UINT64_MAX, ZERO_HASH, Hash32
from sequencer.storage.blocks import BlockStore

STORED = "stored"
"""The name under which the stored chain itself is compared."""


@dataclass(frozen=True, slots=True)
class Witness:
    """An engine with the sender recovery that suits it."""

    engine: ExecutionEngine
    recovery: SenderRecovery


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the witnesses part: a transaction's outcome, or a field of the header, and what each one says."""

    block: int
    position: int | None
    what: str
    values: Mapping[str, str]


def first_difference(
    spec: ChainSpec, store: BlockStore, witnesses: Mapping[str, Witness], first: int, last: int
) -> Difference | None:
    """Execute blocks 1 to ``last`` on every witness and compare ``first`` to ``last``. Blocking."""
    for number in range(1, last + 1):
        block = store.block(number)
        if block is None:
            raise Fatal(f"the block store has no block {number}")
        answers = {name: _execute(spec, witness, block) for name, witness in witnesses.items()}
        found = _compare(block, answers)
        if found is not None and number >= first:
            return found
        for witness in witnesses.values():
            witness.engine.commit(number)
    return None


@dataclass(frozen=True, slots=True)
class _Answer:
    outcomes: Sequence[str]
    header: Header


def _execute(spec: ChainSpec, witness: Witness, block: Block) -> _Answer:
    header = block.header
    rules = EntryRules(spec.chain_id, spec.fork_at(header.timestamp), header.gas_limit, 0, 0, UINT64_MAX)
    witness.engine.begin(_attributes(header))
    recovered = witness.recovery.recover([transaction.raw for transaction in block.transactions], rules)
    known = [answer for answer in recovered if not isinstance(answer, Rejected)]
    if len(known) < len(recovered):
        raise Fatal(f"block {header.number} holds bytes that are no transaction of this chain")
    outcomes = [
        f"refused: {answer}" if isinstance(answer, Rejected) else data(answer.outcome_hash)
        for answer in witness.engine.apply(known)
    ]
    return _Answer(outcomes, witness.engine.seal().header)


def _attributes(header: Header) -> PayloadAttributes:
    """What the engine reads of a block's inputs is all in its header."""
    return PayloadAttributes(
        number=header.number,
        parent_hash=header.parent_hash,
        timestamp=header.timestamp,
        gas_limit=header.gas_limit,
        base_fee_per_gas=header.base_fee_per_gas,
        coinbase=header.coinbase,
        prev_randao=header.prev_randao,
        extra_data=Hash32(header.extra_data),
        parent_beacon_block_root=header.parent_beacon_block_root or ZERO_HASH,
    )


def _compare(block: Block, answers: Mapping[str, _Answer]) -> Difference | None:
    number = block.header.number
    stored = _Answer([data(outcome.outcome_hash) for outcome in block.outcomes], block.header)
    everyone = {STORED: stored, **answers}
    for position in range(len(stored.outcomes)):
        values = {name: answer.outcomes[position] for name, answer in everyone.items()}
        if len(set(values.values())) > 1:
            return Difference(number, position, "outcomeHash", values)
    fields = ("state_root", "receipts_root", "transactions_root", "logs_bloom", "hash")
    for field in fields:
        values = {name: data(getattr(answer.header, field)) for name, answer in everyone.items()}
        if len(set(values.values())) > 1:
            return Difference(number, None, _JSON_NAMES.get(field, field), values)
    return None


_JSON_NAMES = {
    "state_root": "stateRoot",
    "receipts_root": "receiptsRoot",
    "transactions_root": "transactionsRoot",
    "logs_bloom": "logsBloom",
}
