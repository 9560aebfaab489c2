"""Signing under guard: in the order of duties, from many threads, and never twice."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sequencer.consensus.local.files import OS_FILES
from sequencer.core import secp256k1
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.received import Received
from sequencer.core.types import Address, Hash32, Signature
from sequencer.preconf.guard import GuardRefused
from sequencer.preconf.guard_file import GuardFile
from sequencer.preconf.guard_format import GuardedChain
from sequencer.preconf.signing import GuardedSigner, SigningHalted
from sequencer.preconf.twin import home_of
from sequencer.signer.local import LocalSigner
from sequencer.testing.disk import SimulatedDisk
from tests.unit.preconf.chains import CHAIN, DOMAIN, GENESIS, HOME, batch, chain, flashblock

SIGNERS = 64


@pytest.fixture
def file(tmp_path: Path) -> GuardFile:
    key = LocalSigner(b"\x11" * 32)
    file = GuardFile(tmp_path / "guard", GuardedChain(key.address, 7, GENESIS), OS_FILES, home_of)
    assert not file.exists
    file.create()
    return file


@pytest.fixture
def signer(file: GuardFile) -> GuardedSigner:
    return GuardedSigner(LocalSigner(b"\x11" * 32), DOMAIN, file)


def promise(signer: GuardedSigner, flashblocks: list[Flashblock]) -> list[SignedFlashblock]:
    signer.admit(flashblocks)
    return signer.sign(flashblocks)


class Witness(LocalSigner):
    """Looks at what the guard's file holds whenever something is signed."""

    __slots__ = ("file", "seen")

    def sign(self, digest: Hash32) -> Signature:
        self.seen.append(self.file.path.read_bytes())
        return super().sign(digest)


def test_nothing_is_signed_that_was_not_admitted(signer: GuardedSigner) -> None:
    with pytest.raises(GuardRefused, match="not admitted"):
        signer.sign(chain((1, 0)))


def test_the_file_has_the_record_before_anything_is_signed(file: GuardFile) -> None:
    witness = Witness(b"\x11" * 32)
    witness.file, witness.seen = file, []
    run = chain((1, 0), (1, 1))
    promise(GuardedSigner(witness, DOMAIN, file), run)
    assert len(witness.seen) == 2
    assert all(run[1].struct_hash in content for content in witness.seen)


def test_a_record_is_durable_before_the_next_is_signed() -> None:
    disk = SimulatedDisk()
    file = GuardFile(Path("/guard"), CHAIN, disk, lambda _: HOME)
    file.create()
    signer = GuardedSigner(LocalSigner(b"\x11" * 32), DOMAIN, file)
    run = chain((1, 0), (1, 1))
    signer.admit(run)
    for count, signed in enumerate(run):
        signer.sign([signed])
        assert _durable(disk) == (run[count - 1].struct_hash if count else None)
    signer.settle()
    assert _durable(disk) == run[1].struct_hash


class LosesAll(Random):
    """For a power loss that keeps nothing of what was not synced."""

    def random(self) -> float:
        return 1.0

    def choice(self, seq: Any) -> Any:
        return seq[0]


def _durable(disk: SimulatedDisk) -> Hash32 | None:
    """What the guard would know if the power went now, and nothing unsynced were kept."""
    after = copy.deepcopy(disk)
    after.power_loss(LosesAll())
    file = GuardFile(Path("/guard"), CHAIN, after, lambda _: HOME)
    file.open()
    return file.state.newest.struct_hash if file.state.newest else None


def test_the_signature_is_of_the_key(signer: GuardedSigner) -> None:
    (signed,) = promise(signer, chain((1, 0)))
    recovered = secp256k1.recover_signature(DOMAIN.digest(signed.flashblock.struct_hash), signed.signature)
    assert recovered == signed.signer == signer.address


def test_the_same_once_more_gives_the_same_signature(signer: GuardedSigner) -> None:
    run = chain((1, 0), (1, 1))
    first = promise(signer, run)
    assert signer.sign(run) == first
    assert promise(signer, run[1:]) == first[1:]


def test_what_was_admitted_counts_before_it_is_signed(signer: GuardedSigner) -> None:
    run = chain((1, 0), (1, 1))
    signer.admit(run)
    assert signer.state.newest is None
    with pytest.raises(GuardRefused):
        signer.admit(chain((1, 0), salt=1))
    signer.sign(run)
    with pytest.raises(GuardRefused):
        signer.admit(chain((1, 0), salt=1))


def test_what_was_admitted_is_signed_in_order(signer: GuardedSigner) -> None:
    run = chain((1, 0), (1, 1), (2, 0))
    signer.admit(run)
    signer.sign(run[:1])
    with pytest.raises(GuardRefused, match="not on one chain"):
        signer.sign(run[2:])


def test_what_was_signed_is_refused_to_the_next_process(file: GuardFile, signer: GuardedSigner) -> None:
    run = chain((1, 0), (1, 1))
    promise(signer, run)
    file.close()
    file.open()
    again = GuardedSigner(LocalSigner(b"\x11" * 32), DOMAIN, file)
    with pytest.raises(GuardRefused):
        again.admit([flashblock(1, 1, run[0].struct_hash, salt=1)])
    with pytest.raises(GuardRefused, match="not admitted"):
        again.sign(run[:1])
    promise(again, [flashblock(2, 0, run[1].struct_hash)])


def test_batches_are_signed_once_a_sequence(file: GuardFile, signer: GuardedSigner) -> None:
    first = batch(1)
    signature = signer.sign_batch(first)
    file.close()
    file.open()
    assert signer.sign_batch(first) == signature
    with pytest.raises(GuardRefused, match="second batch"):
        signer.sign_batch(batch(1, salt=1))
    assert signer.newest_batch is not None
    assert signer.newest_batch.struct_hash == first.struct_hash


def test_64_parallel_signers_never_conflict(signer: GuardedSigner) -> None:
    """All of them want every place for a flashblock of their own; each place gets one signature, on one chain."""
    rounds = 12
    barrier = threading.Barrier(SIGNERS)
    signed: list[SignedFlashblock] = []

    def compete(number: int) -> int:
        won = 0
        for block in range(1, rounds + 1):
            barrier.wait()
            parent = signer.state.newest
            mine = flashblock(block, 0, parent.struct_hash if parent else GENESIS, salt=number + 1)
            barrier.wait()
            try:
                signed.extend(promise(signer, [mine]))
                won += 1
            except GuardRefused:
                continue
        return won

    with ThreadPoolExecutor(SIGNERS) as threads:
        won = sum(threads.map(compete, range(SIGNERS)))
    places = [item.flashblock.block_number for item in signed]
    assert won == rounds
    assert sorted(places) == list(range(1, rounds + 1))
    by_block = sorted(signed, key=lambda item: item.flashblock.block_number)
    for earlier, later in pairwise(by_block):
        assert later.flashblock.parent == earlier.flashblock.struct_hash
    assert {item.signer for item in signed} == {Address(signer.address)}


def test_of_an_arrival_it_signs_that_type_and_nothing_else(signer: GuardedSigner) -> None:
    received = Received(GENESIS, 4, 1_700_000_000_000)
    digest = DOMAIN.digest(received.struct_hash)
    assert secp256k1.recover_signature(digest, signer.sign_received(received)) == signer.address
    assert signer.state.newest is None, "nothing is recorded: it promises no place"


def test_once_halted_it_signs_nothing_and_records_nothing(signer: GuardedSigner) -> None:
    run = chain((1, 0), (1, 1))
    promise(signer, run[:1])
    signer.admit(run[1:])
    signer.halt("a block differs")
    signer.halt("something else")
    for work in (
        lambda: signer.admit(run[1:]),
        lambda: signer.sign(run[1:]),
        lambda: signer.sign_batch(batch(1)),
        lambda: signer.sign_received(Received(GENESIS, 4, 5)),
    ):
        with pytest.raises(SigningHalted, match="a block differs"):
            work()
    assert signer.newest_batch is None
    assert signer.state.newest is not None
    assert signer.state.newest.struct_hash == run[0].struct_hash
