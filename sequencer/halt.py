"""The state in which a chain signs nothing more: somebody has to look first.

Reads go on, and so does the posting of batches that were closed; nothing new is accepted, promised or closed. The
reason is kept in a file, so that no restart goes on by itself: whoever has looked removes the file.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from sequencer.lifecycle import write_whole
from sequencer.preconf.signing import SigningHalted

log = structlog.get_logger(__name__)


class Halt:
    """One chain's, kept in ``file`` if there is one. ``on_halt`` hears the reason once, on the event loop."""

    def __init__(self, file: Path | None, on_halt: Callable[[str], None]) -> None:
        self._file = file
        self._on_halt = on_halt
        self._happened = asyncio.Event()
        self.reason: str | None = None

    def remember(self) -> None:
        """Halt for the reason that an earlier process left, if one did. One that cannot be read is one too."""
        if self._file is None:
            return
        try:
            self(self._file.read_text(encoding="utf-8", errors="replace").strip())
        except FileNotFoundError:
            return
        except OSError as error:
            self(f"{self._file} cannot be read: {error}")

    def __call__(self, reason: str) -> None:
        """Halt for this reason; the first one stands."""
        if self.reason is None:
            self.reason = reason
            self._keep(reason)
            log.critical("signing is halted", reason=reason)
            self._on_halt(reason)
            self._happened.set()

    def _keep(self, reason: str) -> None:
        if self._file is not None:
            try:
                write_whole(self._file, reason + "\n")
            except OSError as error:  # the disk may be what is broken: this process stands still all the same
                log.warning("the reason of the halt is not kept", error=str(error))

    async def wait(self) -> str:
        """The reason, once there is one."""
        await self._happened.wait()
        return self.reason or ""

    async def hold(self, stage: Awaitable[None]) -> None:
        """Serve with ``stage``, and stand still in its place once it may sign no more."""
        try:
            await stage
        except* SigningHalted:  # alone or among others of a group, which go through
            log.info("a stage stands still")
        else:
            return
        await asyncio.Event().wait()
