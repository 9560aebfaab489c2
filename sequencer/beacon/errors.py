"""Errors of reporting evidence."""

from sequencer.core.errors import SequencerError


class Refused(SequencerError):
    """The other side answered, and said no. ``data`` is what a reverted call returned."""

    def __init__(self, reason: str, data: bytes = b"") -> None:
        super().__init__(reason)
        self.data = data
