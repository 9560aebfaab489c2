"""What travels between the stages of a chain's pipeline."""

from dataclasses import dataclass

from sequencer.core.entries import FlashblockEntry
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import PooledTransaction


@dataclass(frozen=True, slots=True)
class ClosedFlashblock:
    """A flashblock ready for the log, with what its transactions were and did."""

    entry: FlashblockEntry
    taken: tuple[PooledTransaction, ...]
    outcomes: tuple[Outcome, ...]
