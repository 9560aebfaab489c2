"""The DA layer as a dictionary: the port's in-memory twin, with every way in which a real layer fails.

Faults are planned for the calls of ``submit`` to come; heights move only when told to, so that tests decide
when a blob is included, final, or reorged away.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from enum import Enum

from sequencer.core.errors import Reason, Rejected, Temporary, Unknown
from sequencer.core.keccak import keccak256
from sequencer.core.ports import BlobRef, BlobStatus, DaLimits


class Fault(Enum):
    """What goes wrong with one ``submit``."""

    NONE = "none"
    REFUSE = "refuse"
    """Certainly nothing published."""
    REJECT = "reject"
    """The layer will not take it."""
    TIMEOUT_BEFORE = "timeout before"
    """No answer, and nothing published."""
    TIMEOUT_AFTER = "timeout after"
    """No answer, but published."""
    TIMEOUT_LATE = "timeout late"
    """No answer, and published only with the next height."""
    LOSE = "lose"
    """A reference is given, but the blobs never land."""


class MemoryLayer:
    """Heights of blobs. ``final_after``: how many heights above a blob make it final."""

    def __init__(self, *, blob_size_bytes: int = 1024 * 1024, final_after: int = 0) -> None:
        self._blob_size_bytes = blob_size_bytes
        self._final_after = final_after
        self._heights: list[list[bytes]] = []
        self._late: list[bytes] = []
        self._faults: deque[Fault] = deque()
        self.down = False
        """While true every call ends in ``Temporary``."""

    def plan(self, faults: Iterable[Fault]) -> None:
        """The next submits end so, one each."""
        self._faults.extend(faults)

    def advance(self, heights: int = 1) -> None:
        """Heights pass; blobs that were late land in the first of them."""
        for _ in range(heights):
            self._heights.append(self._late)
            self._late = []

    def inject(self, blob: bytes) -> None:
        """Someone else's blob lands."""
        self._heights.append([blob])

    def reorg(self, depth: int) -> None:
        """The newest heights that are not final become empty; their blobs are gone."""
        for height in range(max(len(self._heights) - depth, self._final_height) + 1, len(self._heights) + 1):
            self._heights[height - 1] = []

    def contents(self) -> list[tuple[BlobRef, bytes]]:
        """Every blob there is."""
        return [
            (self._ref(height, blob), blob) for height, blobs in enumerate(self._heights, start=1) for blob in blobs
        ]

    @property
    def layer(self) -> str:
        """``memory``."""
        return "memory"

    def limits(self) -> DaLimits:
        """As configured."""
        return DaLimits(self._blob_size_bytes)

    def commitment(self, blob: bytes) -> bytes:
        """keccak256 of the blob."""
        return keccak256(blob)

    async def submit(self, blobs: Sequence[bytes]) -> list[BlobRef]:
        """Land the blobs together at a new height, unless a fault is planned."""
        self._answer()
        fault = self._faults.popleft() if self._faults else Fault.NONE
        if fault is Fault.REFUSE:
            raise Temporary("the layer is busy")
        if fault is Fault.REJECT or any(len(blob) > self._blob_size_bytes for blob in blobs):
            raise Rejected(Reason.OVERSIZED_DATA)
        if fault is Fault.TIMEOUT_BEFORE:
            raise Unknown("no answer")
        if fault is Fault.TIMEOUT_LATE:
            self._late += blobs
            raise Unknown("no answer")
        self._heights.append([] if fault is Fault.LOSE else list(blobs))
        if fault is Fault.TIMEOUT_AFTER:
            raise Unknown("no answer")
        return [self._ref(len(self._heights), blob) for blob in blobs]

    async def find(self, commitments: Sequence[bytes], from_height: int) -> list[BlobRef | None]:
        """The first place of each, at or above ``from_height``."""
        self._answer()
        places: dict[bytes, BlobRef] = {}
        for ref, _ in self.contents():
            if ref.height >= from_height:
                places.setdefault(ref.commitment, ref)
        return [places.get(commitment) for commitment in commitments]

    async def status(self, ref: BlobRef) -> BlobStatus:
        """By how many heights stand above it."""
        self._answer()
        if self._lookup(ref) is None:
            return BlobStatus.MISSING
        return BlobStatus.FINAL if ref.height <= self._final_height else BlobStatus.INCLUDED

    async def fetch(self, ref: BlobRef) -> bytes:
        """The blob's bytes."""
        self._answer()
        blob = self._lookup(ref)
        if blob is None:
            raise Temporary("blob: not found")
        return blob

    async def head(self) -> int:
        """The newest height."""
        self._answer()
        return len(self._heights)

    async def blobs(self, from_height: int) -> AsyncIterator[tuple[BlobRef, bytes]]:
        """Every blob from ``from_height`` to the newest height at this moment."""
        self._answer()
        for ref, blob in self.contents():
            if ref.height >= from_height:
                yield ref, blob

    @property
    def _final_height(self) -> int:
        return max(0, len(self._heights) - self._final_after)

    def _answer(self) -> None:
        if self.down:
            raise Temporary("the layer does not answer")

    def _lookup(self, ref: BlobRef) -> bytes | None:
        blobs = self._heights[ref.height - 1] if 1 <= ref.height <= len(self._heights) else []
        return next((blob for blob in blobs if keccak256(blob) == ref.commitment), None)

    def _ref(self, height: int, blob: bytes) -> BlobRef:
        return BlobRef(self.layer, height, keccak256(blob))
