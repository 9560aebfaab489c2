"""Short runs of the crash campaigns, and proof that they would notice: each sabotage of the node makes them fail."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sequencer.core.errors import SequencerError
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.preconf.guard_file import GuardFile
from sequencer.preconf.service import PromiseService
from tests.crash.__main__ import added
from tests.crash.simulated import Kind, campaign
from tests.crash.steps import ProcessDisk


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def noticed(kind: Kind, count: int) -> str:
    """What a campaign against a sabotaged node says."""
    with pytest.raises((AssertionError, SequencerError)) as caught:
        campaign(kind, count, seed=1)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["kill", "power"])
def test_no_promise_is_lost_or_doubled(kind: Kind) -> None:
    result = campaign(kind, 36, seed=11)
    assert result["promises"]["issued"] > 100
    assert result["checks"] > result["promises"]["issued"]
    assert len(result["endedBefore"]) > 10


def test_a_disk_that_does_not_sync_the_log_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    sync = ProcessDisk.fdatasync

    def lie(self: ProcessDisk, fd: int) -> None:
        if self._paths[fd].suffix != ".seg":
            sync(self, fd)

    monkeypatch.setattr(ProcessDisk, "fdatasync", lie)
    assert re.search(r"log was rolled back|log is damaged", noticed("power", 60))


def test_promising_before_the_log_is_durable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hasty(self: Any, steps: Any) -> Any:
        closed = [step for step in steps if isinstance(step, ClosedFlashblock)]
        self._signer.admit([step.entry.flashblock for step in closed])
        signatures = self._signer.sign([step.entry.flashblock for step in closed])
        for signed, step in zip(signatures, closed, strict=True):
            await self._on_preconfirmed(signed, step)
        self._publish = published_already
        return await make_durable(self, steps)

    async def published_already(*_: Any) -> None:
        pass

    make_durable = PromiseService._make_durable
    monkeypatch.setattr(PromiseService, "_make_durable", hasty)
    assert "rolled back" in noticed("kill", 60)


def test_a_guard_that_is_never_synced_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the guard may be far behind what the log and the store show as signed."""
    monkeypatch.setattr(GuardFile, "_sync", lambda self: None)
    assert re.search(r"older than the (block store|log)", noticed("power", 120))


def test_results_of_several_runs_add_up() -> None:
    one = {"drill": "crash", "runs": 3, "promises": {"issued": 5, "lost": 0}}
    two = {"drill": "crash", "runs": 4, "promises": {"issued": 7, "lost": 0}}
    assert added(one, two) == {"drill": "crash", "runs": 7, "promises": {"issued": 12, "lost": 0}}
