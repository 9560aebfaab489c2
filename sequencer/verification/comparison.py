"""Holds what several engines made of one block against each other and against the stored block. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sequencer.core.block import Block, Header
from sequencer.core.encoding import data

STORED: Final = "stored"
"""The name under which the stored chain itself is compared."""
_FIELDS: Final = {
    "state_root": "stateRoot",
    "receipts_root": "receiptsRoot",
    "transactions_root": "transactionsRoot",
    "logs_bloom": "logsBloom",
    "hash": "hash",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the witnesses part, and what each one says: at a transaction's ``position``, or in the whole block.

    ``what`` is ``outcomeHash``, a field of the header, or a part of the state (``balance of 0x...``).
    """

    block: int
    position: int | None
    what: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        place = f"block {self.block}" if self.position is None else f"block {self.block}, position {self.position}"
        return f"{place}: {self.what} is {', '.join(f'{value} ({name})' for name, value in self.values.items())}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine made of a block: an outcome hash or refusal for each transaction, and the header."""

    outcomes: Sequence[str]
    header: Header


def compare(block: Block, answers: Mapping[str, Answer]) -> Difference | None:
    """The first difference among the stored ``block`` and the ``answers``, each of which has all of its positions."""
    number = block.header.number
    stored = Answer([data(outcome.outcome_hash) for outcome in block.outcomes], block.header)
    everyone = {STORED: stored, **answers}
    for position in range(len(stored.outcomes)):
        values = {name: answer.outcomes[position] for name, answer in everyone.items()}
        if len(set(values.values())) > 1:
            return Difference(number, position, "outcomeHash", values)
    for field, what in _FIELDS.items():
        values = {name: data(getattr(answer.header, field)) for name, answer in everyone.items()}
        if len(set(values.values())) > 1:
            return Difference(number, None, what, values)
    return None
