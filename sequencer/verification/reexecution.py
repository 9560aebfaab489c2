"""Executes a sealed block once more, as a witness of what it does. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.encoding import data
from sequencer.core.errors import Fatal, Rejected
from sequencer.core.ports import EntryRules, ExecutionEngine, SenderRecovery
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import UINT64_MAX, ZERO_HASH, Hash32
from sequencer.verification.comparison import Answer

_outcome_hash = attrgetter("outcome_hash")


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of a block: an answer for each transaction, and the block that the engine sealed."""

    answers: Sequence[Outcome | Rejected]
    sealed: Block

    def equals(self, header: Header, outcome_hashes: Sequence[Hash32]) -> bool:
        """Every outcome and the header are these; its hash covers the roots of state and receipts."""
        return (
            self.sealed.header.hash == header.hash
            and len(self.answers) == len(self.sealed.outcomes)
            and list(map(_outcome_hash, self.answers)) == list(outcome_hashes)
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

    def execute(self, spec: ChainSpec, block: Block, *, recovered: bool = False) -> Executed:
        """Execute ``block`` on top of the engine's newest one and seal it. With ``recovered`` its transactions are
        taken as they are, senders and all (docs/adr/009); else they are made again from their bytes.

        Raises ``Fatal`` for bytes that are no transaction of this chain.
        """
        self.engine.begin(_attributes(block))
        transactions = block.transactions if recovered else self._recover(spec, block)
        answers = self.engine.apply(transactions)
        return Executed(answers, self.engine.seal())

    def _recover(self, spec: ChainSpec, block: Block) -> list[Transaction]:
        header = block.header
        rules = EntryRules(spec.chain_id, spec.fork_at(header.timestamp), header.gas_limit, 0, 0, UINT64_MAX)
        answers = self.recovery.recover([transaction.raw for transaction in block.transactions], rules)
        known = [answer for answer in answers if not isinstance(answer, Rejected)]
        if len(known) < len(answers):
            raise Fatal(f"block {header.number} holds bytes that are no transaction of this chain")
        return known


def _attributes(block: Block) -> PayloadAttributes:
    """What the engine reads of a block's inputs is all in its header."""
    header = block.header
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
