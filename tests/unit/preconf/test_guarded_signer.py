"""Signing under guard: in the order of duties, from many threads, and never twice."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from sequencer.consensus.local.files import OS_FILES
from sequencer.core import secp256k1
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.types import Address
from sequencer.preconf.guard import GuardRefused
from sequencer.preconf.guard_file import GuardFile
from sequencer.preconf.guard_format import GuardedChain
from sequencer.preconf.signing import GuardedSigner
from sequencer.preconf.twin import home_of
from sequencer.signer.local import LocalSigner
from tests.unit.preconf.chains import DOMAIN, GENESIS, batch, chain, flashblock

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
    signer.prepare(flashblocks)
    return signer.sign(flashblocks)


def test_nothing_is_signed_that_was_not_recorded(signer: GuardedSigner) -> None:
    with pytest.raises(GuardRefused, match="not recorded"):
        signer.sign(chain((1, 0)))


def test_the_signature_is_of_the_key(signer: GuardedSigner) -> None:
    (signed,) = promise(signer, chain((1, 0)))
    recovered = secp256k1.recover_signature(DOMAIN.digest(signed.flashblock.struct_hash), signed.signature)
    assert recovered == signed.signer == signer.address


def test_the_same_once_more_gives_the_same_signature(signer: GuardedSigner) -> None:
    run = chain((1, 0), (1, 1))
    first = promise(signer, run)
    assert signer.sign(run) == first
    assert promise(signer, run[1:]) == first[1:]


def test_check_says_the_same_without_recording(signer: GuardedSigner) -> None:
    run = chain((1, 0), (1, 1))
    signer.check(run)
    assert signer.state.newest is None
    promise(signer, run)
    with pytest.raises(GuardRefused):
        signer.check(chain((1, 0), salt=1))


def test_what_was_signed_is_refused_to_the_next_process(file: GuardFile, signer: GuardedSigner) -> None:
    run = chain((1, 0), (1, 1))
    promise(signer, run)
    file.close()
    file.open()
    again = GuardedSigner(LocalSigner(b"\x11" * 32), DOMAIN, file)
    with pytest.raises(GuardRefused):
        again.prepare([flashblock(1, 1, run[0].struct_hash, salt=1)])
    with pytest.raises(GuardRefused, match="not recorded"):
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
