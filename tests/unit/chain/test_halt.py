"""Halting: once, for the first reason, and beyond the process."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path

import pytest

from sequencer.halt import Halt
from sequencer.preconf.signing import SigningHalted


async def halted(reason: str) -> None:
    raise SigningHalted(reason)


async def halted_in_a_group(reason: str) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(halted(reason))


async def broken() -> None:
    raise ValueError("broken")


async def served() -> None:
    """A stage that ends."""


def test_the_first_reason_stands_and_is_told_once(tmp_path: Path) -> None:
    async def story() -> None:
        told: list[str] = []
        halt = Halt(tmp_path / "halted", told.append)
        waiting = asyncio.create_task(halt.wait())
        halt("first")
        halt("second")
        assert (await waiting, halt.reason, told) == ("first", "first", ["first"])

    asyncio.run(story())
    assert (tmp_path / "halted").read_text() == "first\n"


@pytest.mark.parametrize("left", [b"\xff\xfe no text", b""], ids=["no text", "nothing"])
def test_a_reason_that_cannot_be_understood_halts_all_the_same(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "halted").write_bytes(left)
    told: list[str] = []

    async def story() -> None:
        Halt(tmp_path / "halted", told.append).remember()

    asyncio.run(story())
    assert len(told) == 1


def test_a_reason_that_cannot_be_read_halts_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "halted").mkdir()
    told: list[str] = []

    async def story() -> None:
        Halt(tmp_path / "halted", told.append).remember()

    asyncio.run(story())
    assert "cannot be read" in told[0]


def test_the_next_process_remembers(tmp_path: Path) -> None:
    async def story() -> None:
        told: list[str] = []
        fresh = Halt(tmp_path / "halted", told.append)
        fresh.remember()
        assert fresh.reason is None
        fresh("a reason")
        again = Halt(tmp_path / "halted", told.append)
        again.remember()
        assert told == ["a reason", "a reason"]
        (tmp_path / "halted").unlink()
        once_more = Halt(tmp_path / "halted", told.append)
        once_more.remember()
        assert once_more.reason is None

    asyncio.run(story())


def test_a_disk_that_fails_does_not_keep_it_from_halting(tmp_path: Path) -> None:
    async def story() -> None:
        halt = Halt(tmp_path / "no folder" / "halted", lambda _: None)
        halt("a reason")
        assert halt.reason == "a reason"

    asyncio.run(story())


@pytest.mark.parametrize("stage", [halted, halted_in_a_group])
def test_a_stage_that_may_not_sign_stands_still_and_any_other_fault_goes_through(
    stage: Callable[[str], Coroutine[object, object, None]],
) -> None:
    async def story() -> None:
        halt = Halt(None, lambda _: None)
        await halt.hold(served())
        standing = asyncio.create_task(halt.hold(stage("a reason")))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not standing.done()
        standing.cancel()
        with suppress(asyncio.CancelledError):
            await standing
        with pytest.raises(ValueError, match="broken"):
            await halt.hold(broken())

    asyncio.run(story())
