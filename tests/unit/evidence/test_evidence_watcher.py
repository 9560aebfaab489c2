"""The watcher by examples: what it finds, when, how often, and what it forgets."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from sequencer.beacon import evidence_json
from sequencer.beacon.metrics import EvidenceMetrics
from sequencer.beacon.service import WatchService
from sequencer.beacon.watcher import PostedBatch, Watcher, WatchLimits
from sequencer.core.errors import Temporary
from sequencer.core.evidence import ContradictedPromise, DoubleBatch, Equivocation, Evidence, Verdict, verify
from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Signature
from tests.unit.evidence.histories import DOMAIN, KEYS, address, batch_header, sign_header
from tests.unit.evidence.vectors import FORK, KEY, MAIN, OTHER_KEY, promise


def posted(flashblocks: list[Flashblock], *keys: bytes, **fields: int | bytes) -> PostedBatch:
    header = batch_header(flashblocks, **({"first_block": 1, "last_block": 7} | fields))
    return PostedBatch(header, tuple(sign_header(key, header).signature for key in keys), tuple(flashblocks))


def test_two_promises_of_one_place_are_told_at_once_and_once() -> None:
    watcher = Watcher(DOMAIN)
    assert watcher.saw(promise(MAIN[1])) == []
    [found] = watcher.saw(promise(FORK[0]))
    assert isinstance(found, Equivocation)
    assert watcher.saw(promise(FORK[0])) == watcher.saw(promise(MAIN[1])) == []


def test_a_missing_ancestor_is_asked_for_and_answered_later() -> None:
    watcher = Watcher(DOMAIN)
    watcher.saw(promise(MAIN[1]))
    assert watcher.saw(promise(FORK[5])) == []
    for between in (FORK[4], FORK[3], FORK[2]):
        assert watcher.missing() == (between.struct_hash,)
        assert watcher.learned(between) == []
    assert watcher.open_questions == 1
    assert watcher.learned(FORK[1]) == []
    [found] = watcher.learned(FORK[0])
    assert verify(found).offender == address(KEY)
    assert watcher.open_questions == 0


def test_ancestors_come_from_batches_too() -> None:
    watcher = Watcher(DOMAIN)
    watcher.saw(promise(MAIN[1]))
    watcher.saw(promise(FORK[5]))
    found = watcher.posted(posted([MAIN[0], *FORK[:5]], OTHER_KEY))
    assert [type(evidence) for evidence in found] == [Equivocation]


def test_promises_of_different_keys_do_not_contradict_each_other() -> None:
    watcher = Watcher(DOMAIN)
    assert watcher.saw(promise(MAIN[1])) == watcher.saw(promise(FORK[0], OTHER_KEY)) == []
    assert watcher.posted(posted(FORK, OTHER_KEY)) == []
    assert watcher.posted(posted(MAIN, KEY, last_block=2)) == []


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("flashblocks", [MAIN[:3], FORK, []], ids=["omitted", "replaced", "empty"])
def test_a_broken_promise_is_found_whichever_comes_first(batch_first: bool, flashblocks: list[Flashblock]) -> None:
    watcher = Watcher(DOMAIN)
    found: list[Evidence] = []
    for step in (0, 1):
        found += (
            watcher.posted(posted(flashblocks, KEY)) if batch_first is (step == 0) else watcher.saw(promise(MAIN[4]))
        )
    assert [type(evidence) for evidence in found] == [ContradictedPromise]


def test_a_batch_binds_those_who_signed_it_and_nobody_else() -> None:
    watcher = Watcher(DOMAIN)
    for key in KEYS:
        watcher.saw(promise(MAIN[4], key))
    found = watcher.posted(posted(MAIN[:3], KEYS[0], KEYS[2]))
    assert {verify(evidence).offender for evidence in found} == {address(KEYS[0]), address(KEYS[2])}


def test_two_batches_of_one_sequence_are_found_and_the_same_batch_again_is_not() -> None:
    watcher = Watcher(DOMAIN)
    one, two = posted(MAIN, KEY, OTHER_KEY), posted(MAIN, KEY, term=2)
    assert watcher.posted(one) == watcher.posted(one) == []
    [found] = watcher.posted(two)
    assert isinstance(found, DoubleBatch)
    assert verify(found).offender == address(KEY)
    assert watcher.posted(two) == []


def test_a_body_that_is_not_the_committed_one_proves_no_omission() -> None:
    watcher = Watcher(DOMAIN)
    watcher.saw(promise(MAIN[4]))
    batch = posted(MAIN, KEY)
    assert watcher.posted(replace(batch, flashblocks=tuple(FORK))) == []
    assert watcher.posted(replace(batch, flashblocks=None)) == []


def test_only_members_are_watched_when_they_are_known() -> None:
    watcher = Watcher(DOMAIN, frozenset({address(OTHER_KEY)}))
    assert watcher.saw(promise(MAIN[1])) == watcher.saw(promise(FORK[0])) == []
    assert watcher.saw(promise(MAIN[1], OTHER_KEY)) == []
    assert len(watcher.saw(promise(FORK[0], OTHER_KEY))) == 1


def test_what_nobody_signed_is_ignored() -> None:
    watcher = Watcher(DOMAIN)
    watcher.saw(promise(MAIN[1]))
    assert watcher.saw(replace(promise(FORK[0]), signature=Signature(bytes(65)))) == []
    assert watcher.posted(replace(posted([], KEY), signatures=(Signature(b""),))) == []


def test_memory_is_bounded_and_what_is_dropped_is_counted() -> None:
    limits = WatchLimits(promises=3, ancestors=4, batches=2, batch_places=9, open_questions=1, promises_per_question=1)
    watcher = Watcher(DOMAIN, limits=limits)
    for flashblock in MAIN:
        watcher.saw(promise(flashblock))
    assert watcher.forgotten == len(MAIN) - 3 + len(MAIN) - 4
    before = watcher.forgotten
    for sequence in range(1, 6):
        watcher.posted(posted(MAIN[:5], OTHER_KEY, sequence=sequence))
    assert watcher.forgotten >= before + 4
    assert watcher.saw(promise(replace(MAIN[0], term=9))) == []


def test_one_key_fills_no_disk_with_evidence() -> None:
    watcher = Watcher(DOMAIN, limits=WatchLimits(evidence_per_fault=3))
    found: list[Evidence] = []
    for term in range(1, 20):
        found += watcher.saw(promise(replace(MAIN[1], term=term)))
    assert len(found) == 3


async def test_the_service_writes_each_fault_once_and_counts_it(tmp_path: Path) -> None:
    told: list[tuple[Verdict, Path]] = []

    async def on_found(_evidence: Evidence, verdict: Verdict, file: Path) -> None:
        told.append((verdict, file))

    registry = CollectorRegistry()
    for _ in range(2):  # a restart finds the same and changes nothing
        metrics = EvidenceMetrics(CollectorRegistry() if told else registry)
        service = WatchService(Watcher(DOMAIN), tmp_path / "evidence", metrics, on_found)
        for signed in (promise(MAIN[1]), promise(FORK[0])):
            await service.promise(signed)
        await service.batch(posted(MAIN[:1], KEY))
    files = sorted((tmp_path / "evidence").iterdir())
    assert len(files) == 2
    assert {file for _, file in told} == set(files)
    for file in files:
        verdict = verify(evidence_json.load(file.read_text()))
        assert verdict.id is not None
        assert file.name == f"{verdict.id.hex()}.json"
    assert registry.get_sample_value("sequencer_evidence_found_total", {"fault": "E1"}) == 1
    assert registry.get_sample_value("sequencer_evidence_found_total", {"fault": "E2"}) == 1


def inode(folder: Path) -> int:
    return folder.stat().st_ino


def names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def test_what_the_disk_refuses_is_written_once_it_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Path] = []
    synced: list[int] = []
    folder = inode(tmp_path)

    async def on_found(_evidence: Evidence, _verdict: Verdict, file: Path) -> None:
        told.append(file)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    service = WatchService(Watcher(DOMAIN), tmp_path, EvidenceMetrics(CollectorRegistry()), on_found)
    await service.promise(promise(MAIN[1]))
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(Temporary, match="no space left"):
            await service.promise(promise(FORK[0]))
        assert names(tmp_path) == []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    await service.promise(promise(MAIN[1]))
    assert [file.name for file in told] == names(tmp_path)
    assert synced[-1] == folder, "the new name is durable, too"
