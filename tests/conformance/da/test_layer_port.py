"""What every DA layer keeps, whichever it is: the obligations of ``DataAvailability``."""

from collections.abc import Callable
from pathlib import Path

import pytest

from da.local import LocalLayer
from da.memory import MemoryLayer
from sequencer.core.ports import BlobRef, BlobStatus, DataAvailability


def _local(folder: Path) -> DataAvailability:
    layer = LocalLayer(folder / "da")
    layer.open("{}")
    return layer


def _memory(folder: Path) -> DataAvailability:
    return MemoryLayer()


@pytest.fixture(params=[_local, _memory], ids=["local", "memory"])
def layer(request: pytest.FixtureRequest, tmp_path: Path) -> DataAvailability:
    make: Callable[[Path], DataAvailability] = request.param
    return make(tmp_path)


async def test_what_is_submitted_is_found_fetched_and_listed(layer: DataAvailability) -> None:
    blobs = [b"one", b"two", b"one more"]
    refs = await layer.submit(blobs)
    assert [ref.commitment for ref in refs] == [layer.commitment(blob) for blob in blobs]
    assert {ref.layer for ref in refs} == {layer.layer}
    assert [await layer.fetch(ref) for ref in refs] == blobs
    assert await layer.find([layer.commitment(blob) for blob in blobs], 0) == refs
    assert [entry async for entry in layer.blobs(0)] == list(zip(refs, blobs, strict=True))
    assert await layer.head() >= max(ref.height for ref in refs)


async def test_looking_from_the_head_before_a_submit_finds_it(layer: DataAvailability) -> None:
    await layer.submit([b"before"])
    height = await layer.head()
    (ref,) = await layer.submit([b"after"])
    assert await layer.find([layer.commitment(b"after")], height) == [ref]


async def test_what_is_not_there_is_missing_and_not_an_error(layer: DataAvailability) -> None:
    commitment = layer.commitment(b"never sent")
    assert await layer.find([commitment], 0) == [None]
    assert await layer.status(BlobRef(layer.layer, 99, commitment)) is BlobStatus.MISSING


async def test_status_is_at_least_included(layer: DataAvailability) -> None:
    (ref,) = await layer.submit([b"x"])
    assert await layer.status(ref) in (BlobStatus.INCLUDED, BlobStatus.FINAL)


async def test_a_blob_of_the_largest_size_is_taken(layer: DataAvailability) -> None:
    blob = bytes(layer.limits().blob_size_bytes)
    (ref,) = await layer.submit([blob])
    assert await layer.fetch(ref) == blob
