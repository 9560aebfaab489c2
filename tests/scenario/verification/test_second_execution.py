"""A second engine executes what the first one sealed, and says where they part."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from execution.selection import native_is_installed, open_verifying_engine
from sequencer.core import merkle
from sequencer.core.block import PayloadAttributes
from sequencer.core.errors import Temporary
from sequencer.core.flashblock import Flashblock, SignedFlashblock, outcome_leaves
from sequencer.core.types import Hash32, Signature
from sequencer.verification import reexecution, service
from tests.scenario.verification.chains import COUNTER, LEADER, Chain, Double, Follower, follower, leader

SLOT = Hash32(bytes(32))


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with leader(tmp_path) as chain:
        yield chain


def serve(follower: Follower, head: int, story: Callable[[], Awaitable[object]]) -> None:
    """Tell ``story`` while the verifier runs, from a chain whose newest stored block is ``head``."""

    async def main() -> None:
        follower.verifier.start(head)
        running = asyncio.create_task(follower.verifier.run())
        async with asyncio.timeout(30):
            telling = asyncio.ensure_future(story())
            await asyncio.wait({running, telling}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            await telling
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(main())


def test_it_follows_what_is_sealed_and_says_how_far_it_is(tmp_path: Path, chain: Chain) -> None:
    with follower(tmp_path, chain) as follows:

        async def story() -> None:
            for _ in range(3):
                follows.sealed(await chain.transfers())
            await follows.verifier.reached(3)

        serve(follows, 0, story)
        assert follows.metric("sequencer_verified_block_height") == 3
        assert follows.metric("sequencer_verification_waiting_blocks") == 0
        assert follows.metric("sequencer_verification_seconds_count") == 3
        assert follows.metric("sequencer_verification_differences_total") == 0
        assert follows.found == []


@pytest.mark.parametrize(("lacking", "expected"), [(0, False), (1, False), (2, False), (3, True), (1_000, True)])
def test_only_who_lacks_several_blocks_takes_time_from_the_chain(lacking: int, expected: bool) -> None:
    assert reexecution.late(lacking) is expected


def test_it_hurries_while_it_is_late_and_makes_way_once_it_has_caught_up(tmp_path: Path, chain: Chain) -> None:
    pressed = []

    class Follows(Double):
        def press(self, late: bool) -> None:
            pressed.append(late)

        def begin(self, attributes: PayloadAttributes) -> None:
            pressed.append(attributes.number)
            self._engine.begin(attributes)

    for _ in range(4):
        asyncio.run(chain.transfers())
    own = open_verifying_engine(chain.engine._engine, tmp_path / "verify", forks_needed=["prague"])
    with follower(tmp_path, chain, Follows(own)) as follows:
        serve(follows, 4, lambda: follows.verifier.reached(4))
    found = {number: set(_between(pressed, number)) for number in range(1, 5)}
    assert found == {1: {True}, 2: {True}, 3: {False}, 4: {False}}


def _between(pressed: list[int | bool], number: int) -> list[int | bool]:
    """What was said from the beginning of block ``number`` on, until the next one began."""
    begun = [at for at, entry in enumerate(pressed) if type(entry) is int] + [len(pressed) + 1]
    return pressed[begun[number - 1] + 1 : begun[number] - 1]


@pytest.mark.parametrize("wrong", [None, 0, 5, 9])
def test_a_block_is_executed_and_compared_in_portions(
    tmp_path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch, wrong: int | None
) -> None:
    monkeypatch.setattr(reexecution, "PORTION", 4)
    with follower(tmp_path, chain) as follows:

        async def story() -> None:
            block = await chain.transfers(10)
            promised = [outcome.outcome_hash for outcome in block.outcomes]
            if wrong is not None:
                promised[wrong] = Hash32(bytes(32))
            follows.verifier.sealed(block, promised)
            await (follows.verifier.reached(1) if wrong is None else follows.differs.wait())

        serve(follows, 0, story)
        assert [difference.position for difference in follows.found] == ([] if wrong is None else [wrong])


def test_blocks_of_before_it_are_taken_from_the_store(tmp_path: Path, chain: Chain) -> None:
    for _ in range(3):
        asyncio.run(chain.transfers())
    with follower(tmp_path, chain) as follows:

        async def story() -> None:
            follows.sealed(await chain.transfers())
            await follows.verifier.reached(4)

        serve(follows, 3, story)


def test_more_than_it_keeps_in_memory_is_taken_from_the_store(
    tmp_path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "RECENT_TRANSACTIONS", 4)
    with follower(tmp_path, chain) as follows:
        for _ in range(4):
            follows.sealed(asyncio.run(chain.transfers()))
        assert len(follows.verifier._recent) == 1
        serve(follows, 4, lambda: follows.verifier.reached(4))
        assert follows.verifier._recent_transactions == 0


def test_a_crash_goes_on_from_its_own_height(tmp_path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "COMMIT_BLOCKS", 2)
    for _ in range(3):
        asyncio.run(chain.transfers())
    with follower(tmp_path, chain) as before:
        serve(before, 3, lambda: before.verifier.reached(3))
        assert before.engine.height() == 2, "block 3 is lost with the process"
    asyncio.run(chain.transfers())
    with follower(tmp_path, chain) as after:
        serve(after, 4, lambda: after.verifier.reached(4))
        assert after.metric("sequencer_verification_seconds_count") == 2


def test_large_blocks_are_committed_before_there_are_many(
    tmp_path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "COMMIT_TRANSACTIONS", 1 + len(asyncio.run(chain.transfers()).transactions))
    for _ in range(2):
        asyncio.run(chain.transfers())
    with follower(tmp_path, chain) as follows:
        serve(follows, 3, lambda: follows.verifier.reached(3))
        assert follows.engine.height() == 2, "two blocks had enough, and the count began anew"


def test_a_lost_state_is_made_again_from_genesis(tmp_path: Path, chain: Chain) -> None:
    for _ in range(3):
        asyncio.run(chain.transfers())
    (tmp_path / "verify").mkdir()
    (tmp_path / "verify" / "engine").write_text("of another kind\n")
    with follower(tmp_path, chain) as follows:
        serve(follows, 3, lambda: follows.verifier.reached(3))
        assert follows.metric("sequencer_verification_seconds_count") == 3


def test_a_chain_that_went_back_is_followed_back(tmp_path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "COMMIT_BLOCKS", 1)
    for _ in range(3):
        asyncio.run(chain.transfers())
    with follower(tmp_path, chain) as before:
        serve(before, 3, lambda: before.verifier.reached(3))
    chain.engine.unwind(1)
    chain.store.unwind(1)
    header = chain.store.header(1)
    assert header is not None
    chain.parent = header
    for wallet in chain.wallets:
        wallet.nonce = min(wallet.nonce, 1)
    with follower(tmp_path, chain) as after:

        async def story() -> None:
            after.sealed(await chain.transfers(2))
            await after.verifier.reached(2)

        serve(after, 1, story)
        assert after.found == []


def test_a_false_receipt_is_named_by_its_position_and_nothing_after_it_counts(tmp_path: Path, chain: Chain) -> None:
    chain.engine.false_receipt = (2, 1)
    with follower(tmp_path, chain) as follows:

        async def story() -> None:
            for _ in range(3):
                follows.sealed(await chain.transfers())
            await follows.differs.wait()
            await follows.verifier.reached(1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await follows.verifier.reached(2)

        serve(follows, 0, story)
        (found,) = follows.found
        assert (found.block, found.position, found.what) == (2, 1, "outcomeHash")
        assert set(found.values) == {"stored", "promised", "verified"}
        assert str(found).startswith("block 2, position 1: outcomeHash is 0x")
        assert follows.metric("sequencer_verification_differences_total") == 1
        assert follows.metric("sequencer_verified_block_height") == 1


def test_a_false_balance_is_named_by_its_account(tmp_path: Path, chain: Chain) -> None:
    victim = b"\xaa" * 19 + b"\x01"
    chain.engine.false_balance = (2, victim)  # type: ignore[assignment]
    with follower(tmp_path, chain) as follows:

        async def story() -> None:
            for _ in range(2):
                follows.sealed(await chain.transfers())
            await follows.differs.wait()

        serve(follows, 0, story)
        (found,) = follows.found
        assert (found.block, found.position, found.what) == (2, 1, f"balance of 0x{victim.hex()}")
        assert found.values == {"chain": "3", "verified": "2"}


def test_a_false_fee_is_of_the_whole_block(tmp_path: Path, chain: Chain) -> None:
    chain.engine.false_balance = (1, LEADER)
    with follower(tmp_path, chain) as follows:

        async def story() -> None:
            follows.sealed(await chain.transfers())
            await follows.differs.wait()

        serve(follows, 0, story)
        (found,) = follows.found
        assert (found.block, found.position, found.what) == (1, None, f"balance of 0x{LEADER.hex()}")


@pytest.mark.skipif(not native_is_installed(), reason="only the native engine tells which slots were touched")
def test_a_false_slot_is_named(tmp_path: Path, chain: Chain) -> None:
    init = bytes([0x60, len(COUNTER), 0x60, 0x0C, 0x60, 0x00, 0x39, 0x60, len(COUNTER), 0x60, 0x00, 0xF3])
    deployed = asyncio.run(chain.build((0, {"data": init + COUNTER, "gas_limit": 200_000})))
    contract = deployed.outcomes[0].contract_address
    assert contract is not None
    chain.engine.false_slot = (2, contract, SLOT)
    with follower(tmp_path, chain) as follows:

        async def story() -> None:
            calls = [(index, {"to": contract, "gas_limit": 100_000}) for index in (1, 2)]
            transfer = (0, {"to": b"\xbb" * 20, "value": 1})
            follows.sealed(await chain.build(transfer, *calls))
            await follows.differs.wait()

        serve(follows, 1, story)
        (found,) = follows.found
        assert (found.block, found.position) == (2, 1)
        assert found.what == f"storage 0x{SLOT.hex()} of 0x{contract.hex()}"
        assert found.values["verified"] == "0x" + (2).to_bytes(32, "big").hex()


class _FullDisk:
    """An engine whose disk is full for the first three commits."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def commit(self, number: int) -> None:
        if self.refused < 3:
            self.refused += 1
            raise Temporary("no space left")
        self._engine.commit(number)


def test_a_full_disk_only_delays(tmp_path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "COMMIT_BLOCKS", 1)
    monkeypatch.setattr(service, "RETRY_S", 0.0)
    asyncio.run(chain.transfers())
    full = _FullDisk(open_verifying_engine(chain.engine._engine, tmp_path / "verify", forks_needed=["prague"]))
    with follower(tmp_path, chain, full) as follows:
        serve(follows, 1, lambda: follows.verifier.reached(1))
        assert full.refused == 3
        assert full.height() == 1


@pytest.mark.parametrize("honest", [True, False])
def test_of_a_stored_block_the_signed_roots_are_compared(
    tmp_path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch, honest: bool
) -> None:
    block = asyncio.run(chain.transfers(3))
    hashes = [outcome.outcome_hash for outcome in block.outcomes]

    def signed(first: int, count: int, promised: list[Hash32]) -> SignedFlashblock:
        root = merkle.root(outcome_leaves(first, promised))
        flashblock = Flashblock(0, 1, 0, 1, first, first, count, SLOT, SLOT, root, SLOT, 1, 2)
        return SignedFlashblock(flashblock, LEADER, Signature(bytes(65)))

    second = hashes[1:] if honest else hashes[:0:-1]
    stored = (signed(0, 1, hashes[:1]), signed(1, 2, second))
    monkeypatch.setattr(chain.store, "flashblocks", lambda number: stored)
    with follower(tmp_path, chain) as follows:
        if honest:
            serve(follows, 1, lambda: follows.verifier.reached(1))
            return
        serve(follows, 1, follows.differs.wait)
        (found,) = follows.found
        assert (found.block, found.position, found.what) == (1, 1, "outcomesRoot")
        assert set(found.values) == {"promised", "verified"}
