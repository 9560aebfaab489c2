"""Reassembly: the frames of a batch come together, in any order and among other people's frames.

A frame proves nothing. Someone may copy our frame heads, put another payload behind them and stand before us
on the layer, so different payloads of one frame are kept side by side (a bounded number of them) and the
caller, who can verify a whole batch, is offered the combinations, what came last first: a batch that is sent
again is always the first one tried. A batch whose frames all stand in one blob is offered by itself; nothing
that others wrote can hold it up. Memory is bounded by count and by bytes; when it is full the channel that
has waited longest goes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

from da import limits
from da.frame import Frame


@dataclass(frozen=True, slots=True)
class Assembly:
    """All frames of a batch in order, joined. Not verified."""

    batch_id: bytes
    encoded: bytes


@dataclass(slots=True)
class _Channel:
    """The frames of one batch id that came so far: for each number, alternatives, newest first."""

    frames: dict[int, list[Frame]] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    """Numbers of last frames, newest first."""
    size_bytes: int = 0

    def add(self, frame: Frame) -> None:
        alternatives = self.frames.setdefault(frame.number, [])
        if frame in alternatives:
            alternatives.remove(frame)
        else:
            self.size_bytes += len(frame.payload)
        alternatives.insert(0, frame)
        if len(alternatives) > limits.MAX_ALTERNATIVES:
            self.size_bytes -= len(alternatives.pop().payload)
        if frame.is_last:
            others = [end for end in self.ends if end != frame.number]
            self.ends = [frame.number, *others][: limits.MAX_ALTERNATIVES]

    def assemblies(self) -> Iterator[bytes]:
        """Every whole batch that these frames make, the newest frames first."""
        for end in self.ends:
            for pieces in product(*self._choices(end)):
                if sum(len(piece.payload) for piece in pieces) <= limits.MAX_BATCH_BYTES:
                    yield b"".join(piece.payload for piece in pieces)

    def _choices(self, end: int) -> list[list[Frame]]:
        """The alternatives for each place of a batch that ends with frame ``end``; one empty list if one has none."""
        if end >= len(self.frames):
            return [[]]
        choices = []
        for number in range(end + 1):
            fitting = [f for f in self.frames.get(number, ()) if f.is_last == (number == end)]
            if not fitting:
                return [[]]
            choices.append(fitting)
        return choices


class ChannelBank:
    """Every batch of which some frames came and some did not."""

    def __init__(self) -> None:
        self._channels: dict[bytes, _Channel] = {}
        self._size_bytes = 0
        self.evicted = 0
        """Channels given up because memory was full."""

    def __len__(self) -> int:
        return len(self._channels)

    @property
    def size_bytes(self) -> int:
        """Payload kept."""
        return self._size_bytes

    def add(self, frames: Sequence[Frame]) -> Iterator[Assembly]:
        """Take the frames of one blob, and offer what they complete, one after the other."""
        alone = _complete_alone(frames)
        rest = [frame for frame in frames if frame.batch_id not in alone]
        for frame in rest:
            self._keep(frame)
        self._make_room()
        completed = self._completed({frame.batch_id: None for frame in rest})
        yield from alone.values()
        yield from islice(completed, limits.MAX_ASSEMBLIES)

    def forget(self, batch_id: bytes) -> None:
        """The batch is settled: its frames are of no more use."""
        channel = self._channels.pop(batch_id, None)
        if channel is not None:
            self._size_bytes -= channel.size_bytes

    def _keep(self, frame: Frame) -> None:
        channel = self._channels.setdefault(frame.batch_id, _Channel())
        before = channel.size_bytes
        channel.add(frame)
        self._size_bytes += channel.size_bytes - before

    def _make_room(self) -> None:
        while len(self._channels) > limits.MAX_CHANNELS or self._size_bytes > limits.MAX_CHANNEL_BYTES:
            self.forget(next(iter(self._channels)))
            self.evicted += 1

    def _completed(self, batch_ids: dict[bytes, None]) -> Iterator[Assembly]:
        for batch_id in batch_ids:
            channel = self._channels.get(batch_id)
            for encoded in channel.assemblies() if channel else ():
                yield Assembly(batch_id, encoded)
                if batch_id not in self._channels:
                    break


def _complete_alone(frames: Sequence[Frame]) -> dict[bytes, Assembly]:
    """The batches all of whose frames stand among ``frames``, in order and once."""
    groups: dict[bytes, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(frame.batch_id, []).append(frame)
    whole = {}
    for batch_id, group in groups.items():
        in_order = [frame.number for frame in group] == list(range(len(group)))
        ends_once = [frame.is_last for frame in group] == [False] * (len(group) - 1) + [True]
        if in_order and ends_once:
            whole[batch_id] = Assembly(batch_id, b"".join(frame.payload for frame in group))
    return whole
