"""The threads that keep processors awake take time from nobody, and are not there where they would."""

import contextlib
import os
from pathlib import Path

import pytest

from sequencer import idle_poll as module
from sequencer.idle_poll import has_quota, idle_poll


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("max 100000\n", False),
        ("50000 100000\n", True),
        ("-1\n", False),
        ("200000\n", True),
        ("", False),
    ],
)
def test_quotas_of_control_groups(text: str, quota: bool) -> None:
    assert has_quota(text) is quota


def _threads() -> set[int]:
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            if (task / "comm").read_text() == "idle-poll\n":
                found.add(int(task.name))
    return found


@pytest.mark.timeout(60)
def test_they_run_only_where_nobody_else_wants_to_and_end_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rollup_sequencer_native", reason="the native extension is not built")
    monkeypatch.setattr(module, "_QUOTAS", ())
    before = _threads()
    with idle_poll(60_000) as kept:
        kept()
        while len(started := _threads() - before) < min(2, os.cpu_count() or 1):
            os.sched_yield()
        while any(os.sched_getscheduler(thread) != os.SCHED_IDLE for thread in started):
            os.sched_yield()
    while _threads() - before:
        os.sched_yield()
    kept()  # somebody may still have it
    assert _threads() == before


def test_they_are_not_there_under_a_quota_nor_when_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text("50000 100000\n")
    before = _threads()
    monkeypatch.setattr(module, "_QUOTAS", (quota,))
    with idle_poll(250) as touch:
        touch()
        assert _threads() == before
    monkeypatch.setattr(module, "_QUOTAS", (tmp_path / "none",))
    with idle_poll(0) as touch:
        touch()
        assert _threads() == before
