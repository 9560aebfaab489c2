"""What every DA layer keeps, whichever it is: the obligations of ``DataAvailability``."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from da.ethereum.prover import Prover
from da.local import LocalLayer
from da.memory import MemoryLayer
from sequencer.core.ports import BlobRef, BlobStatus, DataAvailability
from sequencer.testing.celestia import FakeCelestia
from tests.l1 import anvil
from tests.unit.da.celestia_node import layer_on
from tests.unit.da.ethereum_layer import config_for, settle
from tests.unit.da.ethereum_layer import layer_on as layer_on_l1


@asynccontextmanager
async def _local(folder: Path) -> AsyncIterator[DataAvailability]:
    layer = LocalLayer(folder / "da")
    layer.open("{}")
    yield layer


@asynccontextmanager
async def _memory(folder: Path) -> AsyncIterator[DataAvailability]:
    yield MemoryLayer()


@asynccontextmanager
async def _celestia(folder: Path) -> AsyncIterator[DataAvailability]:
    async with layer_on(FakeCelestia(), folder) as layer:
        yield layer


@asynccontextmanager
async def _ethereum(data: str) -> AsyncIterator[DataAvailability]:
    prover = Prover()
    try:
        with anvil() as chain:
            async with layer_on_l1(await settle(chain, prover, config_for(chain, data=data))) as layer:
                yield layer
    finally:
        prover.close()


def _blobs(folder: Path) -> AbstractAsyncContextManager[DataAvailability]:
    return _ethereum("blobs")


def _calldata(folder: Path) -> AbstractAsyncContextManager[DataAvailability]:
    return _ethereum("calldata")


@pytest.fixture(
    params=[_local, _memory, _celestia, _blobs, _calldata], ids=["local", "memory", "celestia", "blobs", "calldata"]
)
async def layer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DataAvailability]:
    make: Callable[[Path], AbstractAsyncContextManager[DataAvailability]] = request.param
    async with make(tmp_path) as opened:
        yield opened


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
    blob = bytes([7]) * layer.limits().blob_size_bytes
    (ref,) = await layer.submit([blob])
    assert await layer.fetch(ref) == blob
