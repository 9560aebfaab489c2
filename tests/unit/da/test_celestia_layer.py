"""The layer on a strict fake node: whatever a submission ends in is told truly, and nothing is believed unread."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from da.celestia.config import CelestiaConfig
from da.celestia.layer import CelestiaLayer
from da.celestia.rpc import NodeRpc
from da.errors import LayerRefused, TooLarge
from da.http import HttpClient
from sequencer.core.errors import SequencerError, Temporary, Unknown
from sequencer.core.ports import BlobRef, BlobStatus
from sequencer.testing.celestia import READER, Account, Empty, FakeCelestia, Fault
from sequencer.testing.celestia_server import serving
from tests.unit.da.celestia_node import NAMESPACE, OTHER, Wire, layer_on


@pytest.fixture
def node() -> FakeCelestia:
    return FakeCelestia()


@pytest.fixture
async def layer(node: FakeCelestia, tmp_path: Path) -> AsyncIterator[CelestiaLayer]:
    async with layer_on(node, tmp_path) as opened:
        yield opened


NOTHING_PUBLISHED = (Temporary, LayerRefused)
OUTCOMES = {
    Fault.TIMEOUT_BEFORE: (Unknown,),
    Fault.TIMEOUT_AFTER: (Unknown,),
    Fault.TIMEOUT_LATE: (Unknown,),
    Fault.SILENCE_BEFORE: (Unknown,),
    Fault.SILENCE_AFTER: (Unknown,),
    Fault.IN_MEMPOOL: (Unknown,),
    Fault.PANIC: (Unknown,),
    Fault.GATEWAY: (Unknown,),
    Fault.SEQUENCE: (Temporary,),
    Fault.LOW_FEE: (Temporary,),
    Fault.BUSY: (Temporary,),
    Fault.RATE_LIMIT: (Temporary,),
    Fault.NO_FUNDS: (LayerRefused,),
    Fault.TOO_LARGE: (TooLarge,),
}


@pytest.mark.parametrize("fault", OUTCOMES)
async def test_a_failed_submission_says_what_is_known(node: FakeCelestia, layer: CelestiaLayer, fault: Fault) -> None:
    node.plan([fault])
    with pytest.raises(SequencerError) as failure:
        await layer.submit([b"a blob"])
    assert type(failure.value) in OUTCOMES[fault] or isinstance(failure.value, OUTCOMES[fault])
    node.advance(3)
    if isinstance(failure.value, NOTHING_PUBLISHED):
        assert node.contents() == []
    else:
        (found,) = await layer.find([layer.commitment(b"a blob")], 0)
        assert (found is not None) == bool(node.contents())


def test_every_fault_has_its_test() -> None:
    answered = {Fault.NONE, Fault.NEVER_LANDS, Fault.LANDS_LATER, Fault.LANDS_TWICE}
    assert set(OUTCOMES) | answered == set(Fault)


@pytest.mark.parametrize("fault", [Fault.NEVER_LANDS, Fault.LANDS_LATER])
async def test_the_height_of_a_success_is_not_believed(node: FakeCelestia, layer: CelestiaLayer, fault: Fault) -> None:
    node.plan([fault])
    (ref,) = await layer.submit([b"a blob"])
    assert await layer.status(ref) is BlobStatus.MISSING
    node.advance()
    found = await layer.find([ref.commitment], 0)
    assert found == ([BlobRef("celestia", node.height, ref.commitment)] if fault is Fault.LANDS_LATER else [None])


async def test_a_blob_that_landed_twice_is_found_where_it_stood_first(node: FakeCelestia, layer: CelestiaLayer) -> None:
    node.plan([Fault.LANDS_TWICE])
    (ref,) = await layer.submit([b"a blob"])
    assert await layer.find([ref.commitment], 0) == [ref]
    assert [blob async for _, blob in layer.blobs(0)] == [b"a blob", b"a blob"]


@pytest.mark.parametrize("empty", Empty)
async def test_empty_heights_in_every_version_of_the_node(
    node: FakeCelestia, layer: CelestiaLayer, empty: Empty
) -> None:
    node.empty = empty
    node.advance(9)
    await layer.submit([b"one"])
    node.advance(2)
    assert [blob async for _, blob in layer.blobs(0)] == [b"one"]
    assert await layer.find([layer.commitment(b"two")], 0) == [None]


async def test_only_our_namespace_is_read_and_unknown_share_versions_are_left_out(
    node: FakeCelestia, layer: CelestiaLayer
) -> None:
    node.inject(OTHER, b"not here")
    node.inject(NAMESPACE, b"a stranger's, signed", share_version=1)
    node.inject(NAMESPACE, b"of a version to come", share_version=2)
    node.inject(NAMESPACE, b"a stranger's")
    assert [blob async for _, blob in layer.blobs(0)] == [b"a stranger's, signed", b"a stranger's"]


async def test_bytes_that_are_not_of_the_commitment_are_not_taken(node: FakeCelestia, layer: CelestiaLayer) -> None:
    (ref,) = await layer.submit([b"honest"])
    ((height, blob),) = node.contents()
    node._blocks[height - 1] = [type(blob)(blob.namespace, b"forged", 0, b"", blob.commitment)]
    with pytest.raises(Temporary, match="another blob"):
        await layer.fetch(ref)
    assert await layer.find([ref.commitment], 0) == [None]


async def test_a_height_that_is_not_there_yet_is_not_waited_for(node: FakeCelestia, layer: CelestiaLayer) -> None:
    ref = BlobRef("celestia", node.height + 1, layer.commitment(b"x"))
    assert await layer.status(ref) is BlobStatus.MISSING
    assert "blob.Get" not in node.requests


async def test_pruned_heights_are_said_to_be_pruned(node: FakeCelestia, layer: CelestiaLayer) -> None:
    node.advance(10)
    node.tail = 5
    with pytest.raises(Temporary, match="older heights"):
        _ = [entry async for entry in layer.blobs(0)]
    assert [entry async for entry in layer.blobs(5)] == []


async def test_blobs_beyond_one_transaction_go_in_several(node: FakeCelestia, tmp_path: Path) -> None:
    config = CelestiaConfig(blob_size_bytes=2000, max_tx_bytes=5000)
    async with layer_on(node, tmp_path, config) as layer:
        blobs = [bytes([n]) * 2000 for n in range(1, 6)]
        refs = await layer.submit(blobs)
        assert len({ref.height for ref in refs}) == 3
        assert await layer.find([layer.commitment(blob) for blob in blobs], 0) == refs


async def test_what_the_node_finds_too_large_is_halved(node: FakeCelestia, layer: CelestiaLayer) -> None:
    node.plan([Fault.TOO_LARGE])
    refs = await layer.submit([b"one", b"two", b"three"])
    assert [await layer.fetch(ref) for ref in refs] == [b"one", b"two", b"three"]
    assert node.requests.count("blob.Submit") == 3


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.TIMEOUT_BEFORE])
async def test_a_failure_after_a_part_was_published_is_unknown(
    node: FakeCelestia, layer: CelestiaLayer, fault: Fault
) -> None:
    node.plan([Fault.TOO_LARGE, Fault.NONE, fault])
    with pytest.raises(Unknown):
        await layer.submit([b"one", b"two"])


async def test_several_accounts_post_side_by_side_and_each_has_one_line(tmp_path: Path) -> None:
    node = FakeCelestia(instant=False)
    node.accounts = {"celestia1a": Account(), "celestia1b": Account()}
    config = CelestiaConfig(accounts=("celestia1a", "celestia1b"), blob_size_bytes=1024, max_tx_bytes=1024)
    async with layer_on(node, tmp_path, config) as layer, asyncio.TaskGroup() as group:
        blobs = [bytes([n]) * 1024 for n in range(1, 5)]
        sending = group.create_task(layer.submit(blobs))
        while not sending.done():
            await asyncio.sleep(0)
            if sum(account.in_flight for account in node.accounts.values()) == 2:
                await node.tick()
    assert sorted(ref.height for ref in sending.result()) == [2, 2, 3, 3]
    assert {account.sequence for account in node.accounts.values()} == {2}


async def test_submissions_of_one_account_wait_for_each_other(tmp_path: Path) -> None:
    node = FakeCelestia(instant=False)
    async with layer_on(node, tmp_path) as layer, asyncio.TaskGroup() as group:
        sending = [group.create_task(layer.submit([bytes([n])])) for n in range(1, 4)]
        while not all(task.done() for task in sending):
            await asyncio.sleep(0)
            if node.accounts["celestia1default"].in_flight:
                await node.tick()
    assert [task.result()[0].height for task in sending] == [2, 3, 4]


async def test_the_price_rises_until_it_is_taken_and_never_beyond_its_cap(node: FakeCelestia, tmp_path: Path) -> None:
    node.minimum_gas_price = 0.01
    async with layer_on(node, tmp_path, CelestiaConfig(gas_price=0.006, max_gas_price=0.02)) as layer:
        for _ in range(3):
            with pytest.raises(Temporary, match="insufficient fee"):
                await layer.submit([b"x"])
        await layer.submit([b"x"])
        node.minimum_gas_price = 1.0
        refusals = []
        for _ in range(8):
            with pytest.raises((Temporary, LayerRefused)) as refusal:
                await layer.submit([b"y"])
            refusals.append(refusal.type)
        assert refusals[-1] is LayerRefused


async def test_without_a_token_nothing_is_allowed_and_a_new_one_is_read(node: FakeCelestia, tmp_path: Path) -> None:
    async with layer_on(node, tmp_path, token="wrong") as layer:
        with pytest.raises(LayerRefused, match="401"):
            await layer.head()
        (tmp_path / "token").write_text(READER)
        assert await layer.head() == 1
        with pytest.raises(LayerRefused, match="missing permission"):
            await layer.submit([b"x"])


async def test_a_node_of_another_network_is_refused(node: FakeCelestia, tmp_path: Path) -> None:
    async with layer_on(node, tmp_path, network="celestia") as layer:
        with pytest.raises(LayerRefused, match="fake-celestia"):
            await layer.head()
        assert await layer.network() == "fake-celestia"


async def test_a_node_that_does_not_listen_published_nothing(node: FakeCelestia, tmp_path: Path) -> None:
    wire = Wire(node)
    async with HttpClient("the celestia-node", 1000, wire) as http:
        wire.refused = True
        with pytest.raises(Temporary):
            await NodeRpc(http, "http://localhost", None).write("blob.Submit", [[], {}], 1000)


async def test_answers_have_a_bound_and_must_be_answers() -> None:
    answers = [b"x" * 2000, b"[]", b'{"jsonrpc":"2.0","id":99,"result":1}', b"", b"\xff"]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=answers.pop(0))

    async with HttpClient("the celestia-node", 1000, httpx.MockTransport(answer)) as http:
        while answers:
            with pytest.raises(Temporary):
                await NodeRpc(http, "http://localhost", None).read("header.LocalHead", [], 1000)


async def test_purses_and_costs(node: FakeCelestia, layer: CelestiaLayer) -> None:
    before = node.accounts["celestia1default"].balance
    refs = await layer.submit([b"x" * 5000, b"y" * 100])
    (purse,) = await layer.accounts()
    cost = await layer.cost(refs, [5000, 100])
    assert (purse.address, purse.balance) == ("celestia1default", before - cost.amount)


async def test_the_same_over_a_real_socket(node: FakeCelestia, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(READER.replace("reader", "writer"))
    config = CelestiaConfig(submit_timeout_ms=300)
    async with serving(node) as url, HttpClient("the celestia-node", 10**6) as http:
        layer = CelestiaLayer(config, NAMESPACE, NodeRpc(http, url, tmp_path / "token"))
        (ref,) = await layer.submit([b"a blob"])
        assert await layer.fetch(ref) == b"a blob"
        node.plan([Fault.SILENCE_AFTER])
        with pytest.raises(Unknown):
            await layer.submit([b"another"])
        assert await layer.find([layer.commitment(b"another")], 0) != [None]
    async with HttpClient("the celestia-node", 10**6) as http:
        with pytest.raises(Temporary):
            await NodeRpc(http, url, None).write("blob.Submit", [[], {}], 1000)
