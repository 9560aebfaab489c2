"""The folder as a DA layer: whole files or none, in order, and readable with nothing else."""

import errno
import os
from pathlib import Path

import pytest

from da import local
from da.local import LocalLayer
from sequencer.core.errors import Fatal, Temporary, Unknown
from sequencer.core.keccak import keccak256
from sequencer.core.ports import BlobRef, BlobStatus


def opened(folder: Path, genesis: str = "{}") -> LocalLayer:
    layer = LocalLayer(folder)
    layer.open(genesis)
    return layer


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(".new-*"))


async def test_blobs_are_files_at_consecutive_heights(tmp_path: Path) -> None:
    layer = opened(tmp_path / "da")
    refs = await layer.submit([b"one", b"two"])
    assert [ref.height for ref in refs] == [1, 2]
    assert sorted(p.name for p in (tmp_path / "da").iterdir()) == [
        "000000000001.blob",
        "000000000002.blob",
        "genesis.json",
    ]
    assert (tmp_path / "da" / "000000000002.blob").read_bytes() == b"two"
    assert (tmp_path / "da" / "genesis.json").read_text() == "{}"


async def test_a_restart_goes_on_after_the_last_height_and_sweeps_leftovers(tmp_path: Path) -> None:
    await opened(tmp_path).submit([b"one"])
    (tmp_path / ".new-000000000002.blob").write_bytes(b"half")
    layer = opened(tmp_path)
    assert await layer.head() == 1
    assert [ref.height for ref in await layer.submit([b"two"])] == [2]
    assert [blob for _, blob in local.read_all(tmp_path)] == [b"one", b"two"]
    assert not leftovers(tmp_path)


def test_another_chains_folder_is_refused(tmp_path: Path) -> None:
    opened(tmp_path, "{}")
    with pytest.raises(Fatal, match="another chain"):
        opened(tmp_path, '{"chain": 2}')
    (tmp_path / "genesis.json").write_bytes(b"\xff\xfe no text")
    with pytest.raises(Fatal, match="another chain"):
        opened(tmp_path, "{}")


async def test_find_looks_by_content_from_a_height_on(tmp_path: Path) -> None:
    layer = opened(tmp_path)
    await layer.submit([b"a", b"b", b"a"])
    commitments = [layer.commitment(b) for b in (b"a", b"b", b"c")]
    assert [ref and ref.height for ref in await layer.find(commitments, 0)] == [1, 2, None]
    assert [ref and ref.height for ref in await layer.find(commitments, 2)] == [3, 2, None]


async def test_status_and_fetch(tmp_path: Path) -> None:
    layer = opened(tmp_path)
    (ref,) = await layer.submit([b"a"])
    missing = BlobRef("local", 9, keccak256(b"a"))
    assert await layer.status(ref) is BlobStatus.FINAL
    assert await layer.status(missing) is BlobStatus.MISSING
    assert await layer.fetch(ref) == b"a"
    with pytest.raises(Temporary):
        await layer.fetch(missing)


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="nowhere"):
        list(local.read_all(tmp_path / "nowhere"))
    with pytest.raises(Temporary, match="nowhere"):
        _ = [entry async for entry in LocalLayer(tmp_path / "nowhere").blobs(1)]


async def test_other_files_are_no_blobs(tmp_path: Path) -> None:
    layer = opened(tmp_path)
    await layer.submit([b"a"])
    for name in ("notes.txt", "1.blob", "000000000003.blob.bak", "x00000000002.blob"):
        (tmp_path / name).write_bytes(b"?")
    assert [(ref.height, blob) async for ref, blob in layer.blobs(0)] == [(1, b"a")]
    assert opened(tmp_path)._head == 1


async def test_a_full_disk_is_temporary_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = opened(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _fail_from_call(1))
        with pytest.raises(Temporary):
            await layer.submit([b"a"])
    assert list(local.read_all(tmp_path)) == []
    assert not leftovers(tmp_path)
    assert [ref.height for ref in await layer.submit([b"a"])] == [1]


@pytest.mark.parametrize("failing_sync", [2, 3, 4])
async def test_a_failure_after_something_became_visible_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_sync: int
) -> None:
    """Syncs come in the order file 1, folder, file 2, folder; from the first rename on something is there."""
    layer = opened(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _fail_from_call(failing_sync))
        with pytest.raises(Unknown):
            await layer.submit([b"a", b"b"])
    assert len(list(local.read_all(tmp_path))) == await layer.head() == failing_sync // 2
    missing = [b for b in (b"a", b"b") if (await layer.find([keccak256(b)], 0)) == [None]]
    await layer.submit(missing)
    assert [blob for _, blob in local.read_all(tmp_path)] == [b"a", b"b"]


def _fail_from_call(failing: int):
    calls = 0
    real = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= failing:
            raise OSError(errno.ENOSPC, "no space left on device")
        real(descriptor)

    return fsync
