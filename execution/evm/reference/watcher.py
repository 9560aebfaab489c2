"""What an execution tells someone who watches it: the frames it enters and leaves, and what they do.

A watcher is told in the order in which things happen. It changes nothing and hears of nothing twice.
"""

from dataclasses import dataclass
from typing import Final

from eth.abc import ComputationAPI

from sequencer.core.errors import DeadlineExceeded
from sequencer.core.receipt import Log

CREATIONS: Final = frozenset({"CREATE", "CREATE2"})
RECORDED_BYTES: Final = 1 << 26
"""What one trace may hold."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message call or creation as it begins. ``gas`` includes the stipend of a call with value."""

    kind: str
    sender: bytes
    to: bytes
    """Whose code runs; of a creation, where the contract comes to stand."""
    account: bytes
    """Whose storage and balance it works on."""
    value: int
    gas: int
    data: bytes

    @property
    def creates(self) -> bool:
        """Whether it is init code that runs."""
        return self.kind in CREATIONS


@dataclass(frozen=True, slots=True)
class FrameEnd:
    """How a frame ended. ``halt`` names an exceptional halt in geth's words; the output is then empty."""

    gas_left: int
    output: bytes
    reverted: bool = False
    halt: str = ""

    @property
    def succeeded(self) -> bool:
        """Neither reverted nor halted."""
        return not self.reverted and not self.halt


class Watcher:
    """Someone who watches and does not care. Those who do care say so in some of the methods."""

    every_instruction = False
    """Whether it wants to hear of instructions one by one, which makes execution slower."""

    def enter(self, frame: Frame, gas_left: int) -> None:
        """A frame begins; its caller has ``gas_left`` beside what it gave to the frame."""

    def leave(self, end: FrameEnd) -> None:
        """The last frame that began and has not ended ends."""

    def log(self, log: Log) -> None:
        """The frame emits a log."""

    def destroy(self, account: bytes, beneficiary: bytes, balance_wei: int) -> None:
        """The frame destroys its account, or at least empties it (EIP-6780)."""

    def begin(self, computation: ComputationAPI, opcode: int) -> None:
        """An instruction begins. The program counter is one ahead of it."""

    def end(self, computation: ComputationAPI, error: str) -> None:
        """An instruction is done, or halts the frame with an error in geth's words."""


class Allowance:
    """How much a trace may still hold."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = RECORDED_BYTES

    def take(self, size: int) -> None:
        """Make use of ``size`` bytes. Raises ``DeadlineExceeded`` if there are not as many left."""
        self._left -= size
        if self._left < 0:
            raise DeadlineExceeded("the trace is too large: ask for less of it")
