"""Executes a sealed block once more, as a witness of what it does. Blocking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Protocol, runtime_checkable

from sequencer.core.block import Block, Header
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.encoding import data
from sequencer.core.errors import Fatal, Rejected
from sequencer.core.ports import EntryRules, ExecutionEngine, SenderRecovery
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import UINT64_MAX, Hash32
from sequencer.verification.comparison import Answer

PORTION: Final = 256
"""Transactions that are executed or compared at once: Python's lock is free, and the priority chosen anew, between."""
LATE_BLOCKS: Final = 3
"""Who lacks so many blocks is late."""
_outcome_hash = attrgetter("outcome_hash")


def late(lacking_blocks: int) -> bool:
    """Whether a witness that lacks the newest ``lacking_blocks`` may take time from the chain it follows, because
    batches wait for it."""
    return lacking_blocks >= LATE_BLOCKS


@runtime_checkable
class Pressed(Protocol):
    """An engine that makes way for others, and less so while it is pressed."""

    def press(self, late: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of a block: an answer for each transaction, and the block that the engine sealed."""

    answers: Sequence[Outcome | Rejected]
    sealed: Block

    def equals(self, header: Header, outcome_hashes: Sequence[Hash32]) -> bool:
        """Every outcome and the header are these; its hash covers the roots of state and receipts."""
        return (
            self.sealed.header.hash == header.hash
            and len(self.answers) == len(self.sealed.outcomes) == len(outcome_hashes)
            and all(
                list(map(_outcome_hash, self.answers[at : at + PORTION])) == list(outcome_hashes[at : at + PORTION])
                for at in range(0, len(self.answers), PORTION)
            )
        )

    def answer(self) -> Answer:
        """In the words of the comparison."""
        outcomes = [
            f"refused: {answer}" if isinstance(answer, Rejected) else data(answer.outcome_hash)
            for answer in self.answers
        ]
        return Answer(outcomes, self.sealed.header)


@dataclass(frozen=True, slots=True)
class Witness:
    """An engine with the sender recovery that suits it."""

    engine: ExecutionEngine
    recovery: SenderRecovery

    def execute(
        self,
        spec: ChainSpec,
        block: Block,
        *,
        recovered: bool = False,
        lacking: Callable[[], int] = lambda: LATE_BLOCKS,
    ) -> Executed:
        """Execute ``block`` on top of the engine's newest one and seal it. With ``recovered`` its transactions are
        taken as they are, senders and all (docs/adr/009); else they are made again from their bytes. ``lacking`` says
        how many blocks are still to be executed, this one among them.

        Raises ``Fatal`` for bytes that are no transaction of this chain.
        """
        transactions = block.transactions if recovered else self._recover(spec, block)
        self._press(lacking())
        self.engine.begin(block.header.attributes())
        answers: list[Outcome | Rejected] = []
        for at in range(0, len(transactions), PORTION):
            self._press(lacking())
            answers += self.engine.apply(transactions[at : at + PORTION])
        self._press(lacking())
        return Executed(answers, self.engine.seal())

    def _press(self, lacking_blocks: int) -> None:
        if isinstance(self.engine, Pressed):
            self.engine.press(late(lacking_blocks))

    def _recover(self, spec: ChainSpec, block: Block) -> list[Transaction]:
        header = block.header
        rules = EntryRules(spec.chain_id, spec.fork_at(header.timestamp), header.gas_limit, 0, 0, UINT64_MAX)
        answers = self.recovery.recover([transaction.raw for transaction in block.transactions], rules)
        known = [answer for answer in answers if not isinstance(answer, Rejected)]
        if len(known) < len(answers):
            raise Fatal(f"block {header.number} holds bytes that are no transaction of this chain")
        return known
