"""Raw transactions that came in and wait for admission, bounded by count and bytes.

It never makes anyone wait for a place: when it is full, a transaction is refused at once, so a flood costs
its sender an answer and this node next to nothing.
"""

from asyncio import Future
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from mempool.config import MempoolConfig
from sequencer.core.errors import Reason, Rejected, SequencerError
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Hash32

Answer: TypeAlias = PooledTransaction | SequencerError
"""What becomes of a raw transaction: it is in the pool, or why it is not."""


class Answers:
    """Collects the answers to transactions that were handed in together; ``complete`` is done once all are there."""

    __slots__ = ("_answers", "_left", "complete")

    def __init__(self, count: int, complete: "Future[list[Answer]]") -> None:
        self._answers: list[Answer | None] = [None] * count
        self._left = count
        self.complete = complete

    def give(self, place: int, answer: Answer) -> None:
        """The answer to the transaction at ``place``; only the first one counts."""
        if self._answers[place] is None:
            self._answers[place] = answer
            self._left -= 1
            if not self._left and not self.complete.done():
                self.complete.set_result(self._answers)  # type: ignore[arg-type]  # none of them is None any more


@dataclass(slots=True)
class Submission:
    """One raw transaction and who waits for its answer. ``received_ms`` is unix milliseconds. One that comes
    from the journal has the ``sequence`` that it had before, and nobody waits for it."""

    raw: bytes
    hash: Hash32
    origin: int
    received_ms: int
    answers: Answers | None
    place: int = 0
    sequence: int | None = None
    executable_only: bool = False
    """Refuse it rather than let it wait for an earlier nonce."""
    until_promised: bool = False
    """Whoever sent it goes on to wait for its promise: the journal need not have it first."""

    def answer(self, answer: Answer) -> None:
        """Answer, if anyone waits."""
        if self.answers is not None:
            self.answers.give(self.place, answer)


class Ingress:
    """First in, first out."""

    def __init__(self, config: MempoolConfig) -> None:
        self._config = config
        self._waiting: deque[Submission] = deque()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, submission: Submission) -> None:
        """Take it. Raises ``Rejected(POOL_FULL)`` when there is no room."""
        size_bytes = self._size_bytes + len(submission.raw)
        if len(self._waiting) >= self._config.ingress_count or size_bytes > self._config.ingress_bytes:
            raise Rejected(Reason.POOL_FULL, "too many transactions wait for admission")
        self._waiting.append(submission)
        self._size_bytes = size_bytes

    def take(self, count: int) -> list[Submission]:
        """The first ``count``, or all there are."""
        if len(self._waiting) <= count:
            taken = list(self._waiting)
            self._waiting.clear()
            self._size_bytes = 0
            return taken
        taken = [self._waiting.popleft() for _ in range(count)]
        self._size_bytes -= sum(len(submission.raw) for submission in taken)
        return taken
