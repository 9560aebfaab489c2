"""Posting on a real L1: several blobs a transaction, fees that rise, one owner of the key, restarts, reorgs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from da.errors import LayerRefused
from da.ethereum.inbox import Place
from da.ethereum.journal import Journal
from da.ethereum.layer import NOT_OURS
from da.ethereum.prover import Prover
from da.ethereum.sender import AnotherPoster
from da.fallback import FallbackConfig
from sequencer.core.errors import SequencerError, Temporary, Unknown
from sequencer.core.keccak import keccak256
from sequencer.core.ports import BlobStatus
from sequencer.testing.celestia import Fault as CelestiaFault
from tests.l1 import L1, anvil
from tests.unit.da.celestia_node import CelestiaTwin
from tests.unit.da.ethereum_layer import Settled, config_for, layer_on, settle
from tests.unit.da.world import Disk

HEADER = keccak256(b"a header")


@pytest.fixture(scope="module")
def prover() -> Iterator[Prover]:
    made = Prover()
    yield made
    made.close()


@pytest.fixture
def chain() -> Iterator[L1]:
    with anvil("--slots-in-an-epoch", "4") as running:
        yield running


@pytest.fixture
async def world(chain: L1, prover: Prover) -> Settled:
    return await settle(chain, prover, config_for(chain, data="calldata"))


def blobs_in(world: Settled) -> Settled:
    return replace(world, config=replace(world.config, data="blobs"))


async def test_several_blobs_in_one_transaction_and_more_in_the_next(world: Settled) -> None:
    world = blobs_in(world)
    world.config = replace(world.config, max_blobs=2)
    datas = [b"one", b"two" * 9000, b"three"]
    async with layer_on(world) as layer:
        refs = await layer.submit_batch(HEADER, datas)
        assert refs[0].height == refs[1].height < refs[2].height
        assert [await layer.fetch(ref) for ref in refs] == datas
        assert await layer.find_batch(HEADER, datas, 0) == refs
        assert await layer.find_batch(HEADER, [b"none", b"three"], 0) == [None, refs[2]]
        cost, (purse,) = await layer.cost(refs, []), await layer.accounts()
        assert cost.amount > 0
        assert purse.balance < 10**21 - cost.amount
    journal = Journal(world.disk)
    sent = journal.get(journal.highest() or 0)
    assert sent is not None
    assert (sent.place, sent.header_hash) == (Place.BLOBS, HEADER)


async def test_status_is_final_once_the_chain_says_so(world: Settled) -> None:
    async with layer_on(world) as layer:
        (ref,) = await layer.submit_batch(HEADER, [b"data"])
        assert await layer.status(ref) is BlobStatus.INCLUDED
        world.chain.mine(40)
        await until(lambda: layer.status(ref), BlobStatus.FINAL)


async def test_a_reorg_takes_references_away_and_they_can_be_posted_again(world: Settled) -> None:
    async with layer_on(world) as layer:
        (first,) = await layer.submit_batch(HEADER, [b"first"])
        (second,) = await layer.submit_batch(HEADER, [b"second"])
        world.chain.rpc("anvil_reorg", 1, [])
        await until(lambda: layer.status(second), BlobStatus.MISSING)
        assert await layer.status(first) is BlobStatus.INCLUDED
        assert await layer.find_batch(HEADER, [b"first", b"second"], 0) == [first, None]
        (again,) = await layer.submit_batch(HEADER, [b"second"])
        assert await layer.fetch(again) == b"second"
        assert [data async for _, data in layer.blobs(0)] == [b"first", b"second"]


async def until(ask: Callable[[], Awaitable[object]], expected: object) -> None:
    """Ask, until the answer is ``expected``; the chain is a process of its own and tells nobody."""
    async with asyncio.timeout(30):
        while await ask() != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def pooled(chain: L1) -> int:
    """Transactions that wait for a block."""
    return int(chain.rpc("txpool_status")["pending"], 16)


async def offered_more_than(world: Settled, before: tuple[bytes, ...]) -> bool:
    return len(offers(Journal(world.disk))) > len(before)


def offers(journal: Journal) -> tuple[bytes, ...]:
    """The hashes under which the newest posting was offered."""
    sent = journal.get(journal.highest() or 0)
    return sent.hashes if sent else ()


async def test_fees_rise_until_the_transaction_is_taken(chain: L1, prover: Prover) -> None:
    config = config_for(chain, data="calldata", bump_after_ms=40, max_fee_wei=10**12)
    world = await settle(chain, prover, config)
    chain.rpc("evm_setAutomine", False)
    async with layer_on(world) as layer, asyncio.TaskGroup() as group:
        posting = group.create_task(layer.submit_batch(HEADER, [b"data"]))
        journal = Journal(world.disk)
        async with asyncio.timeout(30):
            while len(offers(journal)) <= 2:  # noqa: ASYNC110 - the journal has no events
                await asyncio.sleep(0)  # the next turn: the offers are made on this loop, every 40 ms
        chain.mine()
        chain.rpc("evm_setAutomine", True)
    assert posting.result()[0].height == chain.height


async def test_a_posting_that_was_cut_off_is_taken_up_with_the_same_nonce(chain: L1, prover: Prover) -> None:
    world = await settle(chain, prover, config_for(chain, data="calldata", bump_after_ms=400, max_fee_wei=10**12))
    async with layer_on(world) as layer:
        await layer.submit_batch(HEADER, [b"before"])
    chain.rpc("evm_setAutomine", False)
    async with layer_on(world) as layer:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await layer.submit_batch(HEADER, [b"data"])
    async with layer_on(world) as layer, asyncio.TaskGroup() as group:
        cut_off = offers(Journal(world.disk))
        posting = group.create_task(layer.submit_batch(HEADER, [b"data"]))
        await until(lambda: offered_more_than(world, cut_off), expected=True)  # it is at work again
        chain.mine()
        (ref,) = await posting
        assert [data async for _, data in layer.blobs(0)] == [b"before", b"data"]
    assert int(chain.rpc("eth_getTransactionCount", "0x" + world.signer.address.hex(), "latest"), 16) == 3
    assert ref.height == chain.height


async def test_a_posting_without_a_block_in_time_is_unknown(world: Settled) -> None:
    world.chain.rpc("evm_setAutomine", False)
    world.config = replace(world.config, submit_timeout_ms=50)
    async with layer_on(world) as layer:
        with pytest.raises(Unknown, match="in no block"):
            await layer.submit_batch(HEADER, [b"data"])


async def test_a_second_poster_on_the_key_is_refused(world: Settled) -> None:
    async with layer_on(world) as first, layer_on(world, disk=Disk()) as second, layer_on(world, disk=Disk()) as third:
        await first.submit_batch(HEADER, [b"one"])
        await second.submit_batch(HEADER, [b"two"])  # a key of its own as far as it can tell
        for layer in (first, third):
            if layer is third:
                world.chain.rpc("evm_setAutomine", False)
                busy = asyncio.ensure_future(second.submit_batch(HEADER, [b"on its way"]))
                await until(lambda: pooled(world.chain), 1)
            with pytest.raises(AnotherPoster):
                await layer.submit_batch(HEADER, [b"three"])
        world.chain.mine()
        await busy
    adopting = replace(world, config=replace(world.config, adopt_nonces=True))
    world.chain.rpc("evm_setAutomine", True)
    async with layer_on(adopting) as layer:
        await layer.submit_batch(HEADER, [b"three"])


async def test_a_nonce_that_somebody_else_used_stops_posting(world: Settled) -> None:
    chain = world.chain
    chain.rpc("evm_setAutomine", False)
    async with layer_on(world) as layer, asyncio.TaskGroup() as group:
        posting = group.create_task(_outcome(layer.submit_batch(HEADER, [b"data"])))
        await until(lambda: pooled(chain), 1)
        chain.rpc("anvil_dropAllTransactions")
        address = "0x" + world.signer.address.hex()
        chain.rpc("anvil_impersonateAccount", address)
        chain.rpc("eth_sendTransaction", {"from": address, "to": address, "value": "0x0", "nonce": "0x1"})
        chain.mine()
        assert isinstance(await posting, Unknown)
        with pytest.raises(AnotherPoster):
            await layer.submit_batch(HEADER, [b"data"])


async def _outcome(posting: object) -> SequencerError | None:
    try:
        await posting  # type: ignore[misc]
    except SequencerError as error:
        return error
    return None


async def test_an_empty_purse_is_told_and_nothing_is_published(world: Settled) -> None:
    world.chain.rpc("anvil_setBalance", "0x" + world.signer.address.hex(), "0x1")
    async with layer_on(world) as layer:
        with pytest.raises(LayerRefused, match="nsufficient funds"):
            await layer.submit_batch(HEADER, [b"data"])
        assert [entry async for entry in layer.blobs(0)] == []


async def test_a_price_beyond_the_cap_is_not_paid(world: Settled) -> None:
    world.config = replace(world.config, max_fee_wei=1000, submit_timeout_ms=100)
    async with layer_on(world) as layer:
        with pytest.raises((LayerRefused, Unknown)):
            await layer.submit_batch(HEADER, [b"data"])
    assert world.chain.height == world.inbox.block


async def test_garbage_and_foreign_references_are_read_as_none_of_ours(world: Settled, prover: Prover) -> None:
    stranger = await settle(world.chain, prover, blobs_in(world).config)
    stranger = replace(stranger, inbox=world.inbox)
    async with layer_on(stranger) as theirs, layer_on(world) as layer:
        await theirs.submit([b"a stranger's blob"])
        await layer.submit_batch(HEADER, [b"ours"])
        sidecar = prover.sidecar(b"", 1)
        noise = replace(sidecar, blob=b"")
        assert noise.commitment
        assert [data async for _, data in layer.blobs(0)] == [b"a stranger's blob", b"ours"]


async def test_batches_on_celestia_are_read_through_their_references(world: Settled) -> None:
    celestia = CelestiaTwin()
    (ref,) = await celestia.submit([b"on celestia"])
    async with layer_on(world, celestia=celestia) as layer, layer_on(world) as blind:
        from da.ethereum import inbox

        for commitment in (ref.commitment, bytes(32)):
            call = inbox.post_reference(HEADER, Place.CELESTIA, ref.height, [commitment])
            address = "0x" + world.signer.address.hex()
            world.chain.rpc("anvil_impersonateAccount", address)
            to = "0x" + world.inbox.address.hex()
            world.chain.rpc("eth_sendTransaction", {"from": address, "to": to, "data": "0x" + call.hex()})
        assert [data async for _, data in layer.blobs(0)] == [b"on celestia", NOT_OURS]
        with pytest.raises(LayerRefused, match="celestia-url"):
            _ = [entry async for entry in blind.blobs(0)]


async def test_celestia_first_then_ethereum_and_back_again(world: Settled) -> None:
    celestia = CelestiaTwin()
    down = [CelestiaFault.BUSY] * 3
    async with layer_on(world, celestia=celestia, fallback=FallbackConfig(max_failures=3, hold_batches=2)) as layer:
        places = []
        celestia.plan([CelestiaFault.NONE, *down])
        for number in range(8):
            header, data = keccak256(b"%d" % number), b"batch %d" % number
            while True:
                try:
                    (ref,) = await layer.submit_batch(header, [data])
                    break
                except Temporary:
                    assert await layer.find_batch(header, [data], 0) == [None]
            assert await layer.fetch(ref) == data
            assert await layer.find_batch(header, [data], 0) == [ref]
            places.append("celestia" if ref.commitment == celestia.commitment(data) else "ethereum")
        assert places == ["celestia", "ethereum", "ethereum", *["celestia"] * 5]
        assert [data async for _, data in layer.blobs(0)] == [b"batch %d" % number for number in range(8)]


async def test_what_stands_on_celestia_already_is_only_referenced(world: Settled) -> None:
    celestia = CelestiaTwin()
    async with layer_on(world, celestia=celestia) as layer:
        celestia.plan([CelestiaFault.TIMEOUT_AFTER])
        with pytest.raises(Unknown):
            await layer.submit_batch(HEADER, [b"data"])
        (ref,) = await layer.submit_batch(HEADER, [b"data"])
        assert len(celestia.contents()) == 1
        assert await layer.fetch(ref) == b"data"


async def test_a_success_that_never_lands_is_not_referenced(world: Settled) -> None:
    celestia = CelestiaTwin()
    async with layer_on(world, celestia=celestia) as layer:
        celestia.plan([CelestiaFault.NEVER_LANDS])
        with pytest.raises(Unknown, match="is not there"):
            await layer.submit_batch(HEADER, [b"data"])
        assert [entry async for entry in layer.blobs(0)] == []


async def test_an_l1_that_is_away_published_nothing(world: Settled) -> None:
    async with layer_on(world) as layer:
        world.chain.process.kill()
        world.chain.process.wait()
        with pytest.raises(Temporary):
            await layer.submit_batch(HEADER, [b"data"])
        with pytest.raises(Temporary):
            await layer.head()
