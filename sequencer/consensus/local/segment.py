"""One segment file: created whole and empty, filled from the front, read by anyone at any time."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sequencer.consensus.local import format as fmt
from sequencer.core.errors import Fatal
from sequencer.core.files import Files

SUFFIX: Final = ".seg"
SPARE_NAME: Final = "next.spare"
_READ_BYTES: Final = 1 << 18


@dataclass(slots=True)
class Segment:
    """A segment and how far it is filled. ``end`` and ``next_position`` only ever cover durable records.

    ``offsets`` holds where each record begins, for the newest segment only.
    """

    path: Path
    header: fmt.SegmentHeader
    size: int
    end: int
    next_position: int
    offsets: "array[int]" = field(default_factory=lambda: array("L"))

    @property
    def first_position(self) -> int:
        """The position of the first record."""
        return self.header.first_position

    def read(self, files: Files, position: int) -> Iterator[tuple[int, bytes]]:
        """Positions and payloads from ``position`` up to the end as it stands when reading begins.

        Opens the file anew, so that the segment may be deleted meanwhile. Raises ``Fatal`` if a record that was
        durable is not readable any more, ``FileNotFoundError`` if the segment is gone.
        """
        stop = self.next_position  # before ``end``, which the writer moves first: never short of ``stop``
        end, offsets = self.end, self.offsets
        at = self.first_position
        offset = fmt.RECORDS_START
        if len(offsets) and at < position < stop:
            at, offset = position, offsets[position - at]
        fd = files.open(self.path)
        try:
            while at < stop:
                chunk = files.pread(fd, min(_READ_BYTES, end - offset), offset)
                needed = fmt.RECORD_OVERHEAD + fmt.payload_length(chunk, 0)
                if len(chunk) < needed <= end - offset:
                    chunk = files.pread(fd, needed, offset)
                used = 0
                for record in fmt.records(chunk, 0, self.header.salt, at):
                    used = record.end
                    at += 1
                    if record.position >= position:
                        yield record.position, record.payload
                if not used:
                    raise damaged(self.path, offset, at, "its record cannot be read back")
                offset += used
        finally:
            files.close(fd)


def damaged(path: Path, offset: int, position: int, what: str) -> Fatal:
    """The refusal to go on with a log that lacks entries which were durable."""
    return Fatal(
        f"the sequence log is damaged: {path}, offset {offset}, position {position}: {what}. Entries that were "
        "acknowledged are missing, so this node must not continue from what is left. Keep the files, and restore the "
        "log's folder from a copy or another member of the set; do not delete or shorten segments by hand"
    )


def segment_name(first_position: int) -> str:
    """The file name of the segment that starts with ``first_position``."""
    return f"{first_position:020d}{SUFFIX}"
