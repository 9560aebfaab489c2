"""Executes what was decided before and holds the result against what was recorded.

One function serves replay from the log and derivation from DA, so both check the same things. Any
difference is fatal and names itself: going on would mean to break a promise.
"""

from collections.abc import Sequence

from sequencer.core.block import Block, PayloadAttributes
from sequencer.core.errors import Fatal, Rejected
from sequencer.core.ports import EntryRules, ExecutionEngine, SenderRecovery
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import UINT64_MAX, Hash32


def execute_decided(
    engine: ExecutionEngine,
    recovery: SenderRecovery,
    chain_id: int,
    fork: str,
    attributes: PayloadAttributes,
    flashblocks: Sequence[tuple[Sequence[bytes], Sequence[Hash32] | None]],
) -> Block:
    """Execute a block on top of the engine's head and seal it. Blocking.

    ``flashblocks`` are raw transactions with the outcome hashes that were promised, None where only the
    block hash is to hold. Raises ``Fatal`` at the first transaction that is refused or ends otherwise than
    it was promised.
    """
    rules = EntryRules(chain_id, fork, attributes.gas_limit, 0, 0, size_limit_bytes=UINT64_MAX)
    everything = [raw for raws, _ in flashblocks for raw in raws]
    transactions = _recovered(recovery.recover(everything, rules), attributes.number)
    engine.begin(attributes)
    position = 0
    for raws, promised in flashblocks:
        outcomes = engine.apply(transactions[position : position + len(raws)])
        for offset, outcome in enumerate(outcomes):
            _compare(outcome, promised[offset] if promised is not None else None, attributes.number, position + offset)
        position += len(raws)
    return engine.seal()


def _recovered(answers: Sequence[Transaction | Rejected], number: int) -> list[Transaction]:
    """All of a block at once, so that every core has work although flashblocks may be small."""
    transactions = []
    for position, answer in enumerate(answers):
        if isinstance(answer, Rejected):
            raise Fatal(f"block {number}, position {position}: not a transaction of this chain: {answer}")
        transactions.append(answer)
    return transactions


def _compare(outcome: Outcome | Rejected, promised: Hash32 | None, number: int, position: int) -> None:
    if isinstance(outcome, Rejected):
        raise Fatal(f"block {number}, position {position}: the engine refuses a decided transaction: {outcome}")
    if promised is not None and outcome.outcome_hash != promised:
        raise Fatal(
            f"block {number}, position {position}: outcome 0x{outcome.outcome_hash.hex()} differs from the "
            f"promised 0x{promised.hex()}"
        )
