"""The logs of a simulated call with their numbers, and ether that moves told as logs (``traceTransfers``)."""

from typing import Final

from execution.evm.reference.watcher import Frame, FrameEnd, Watcher
from sequencer.core.keccak import keccak256
from sequencer.core.receipt import Log
from sequencer.core.types import Address, Hash32

_EMITTER: Final = Address(b"\xee" * 20)
"""Who seems to emit these logs."""
_TRANSFER: Final = keccak256(b"Transfer(address,address,uint256)")


class Transfers(Watcher):
    """Notes every log, and every transfer if asked to. A frame that fails takes its own with it, but not their
    numbers, as in geth."""

    def __init__(self, *, wanted: bool, first: int) -> None:
        self._wanted = wanted
        self.next_number = first
        self.kept: list[tuple[int, Log]] = []
        """Number and log, of what is certain."""
        self._frames: list[list[tuple[int, Log]]] = []

    def enter(self, frame: Frame, gas_left: int) -> None:  # noqa: ARG002
        self._frames.append([])
        if frame.kind != "DELEGATECALL":
            self._transfer(frame.sender, frame.account, frame.value)

    def leave(self, end: FrameEnd) -> None:
        logs = self._frames.pop()
        if end.succeeded:
            (self._frames[-1] if self._frames else self.kept).extend(logs)

    def log(self, log: Log) -> None:
        self._frames[-1].append((self.next_number, log))
        self.next_number += 1

    def destroy(self, account: bytes, beneficiary: bytes, balance_wei: int) -> None:
        self._transfer(account, beneficiary, balance_wei)

    def _transfer(self, sender: bytes, to: bytes, value: int) -> None:
        if self._wanted and value:
            topics = (_TRANSFER, Hash32(sender.rjust(32, b"\0")), Hash32(to.rjust(32, b"\0")))
            self.log(Log(_EMITTER, topics, value.to_bytes(32, "big")))
