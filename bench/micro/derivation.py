"""How fast the chain comes back from DA: a folder of the local layer, made here, and ``sequencer derive`` on it.

The chain is executed and cut into batches as a node does it, without a node, so that its blocks are full. What is
timed is the command as users type it, on the native engine: start of the process, reading, checking, recovering
every sender, executing, storing blocks, receipts and indexes, and the check of every batch's root and hash.
"""

import asyncio
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bench.micro import workloads
from bench.micro.chain import recover
from da import blob
from da.batcher import BatchTip, close
from da.blocks import BatchBlock
from da.local import LocalLayer
from execution.evm.native.engine import NativeEngine
from sequencer.core import genesis as genesis_file
from sequencer.core import merkle, secp256k1
from sequencer.core.block import Header, PayloadAttributes
from sequencer.core.eip712 import Domain
from sequencer.core.entries import ArrivalRecord, FlashblockEntry
from sequencer.core.errors import Rejected
from sequencer.core.flashblock import Flashblock, order_leaves, outcome_leaves
from sequencer.core.genesis import Genesis
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.types import Address, Hash32

TRANSFERS: Final = 50_000
ROUNDS: Final = 3
_BLOCK: Final = 2_000
_FLASHBLOCK: Final = 200
_BATCH_BLOCKS: Final = 5
_KEY: Final = keccak256(b"bench sequencer")


def run() -> dict[str, Any]:
    """Derive 50,000 transfers of ether to fresh recipients, and 50,000 of a token among its holders."""
    return {"ether": _measure(ether()), "token": _measure(token())}


def ether() -> Iterator[bytes]:
    """One wei each, from users in turn, to accounts that do not exist yet."""
    for at in range(TRANSFERS):
        user, nonce = at % workloads.USERS, at // workloads.USERS
        yield workloads.signed(user, nonce, Address(keccak256(b"derived %d" % at)[12:]), 1)


def token() -> Iterator[bytes]:
    """One token each, from users in turn, to the next one."""
    for at in range(TRANSFERS):
        user, nonce = at % workloads.USERS, at // workloads.USERS
        call = bytes(12) + workloads.user_address((user + 1) % workloads.USERS) + workloads.word(1)
        yield workloads.signed(user, nonce, workloads.TOKEN, data=call, gas=100_000)


def _measure(transactions: Iterator[bytes]) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp())
    try:
        head = make_chain(folder, transactions)
        wall, cpu = zip(*(derive(folder, number, head) for number in range(ROUNDS)), strict=True)
        rates = sorted(round(TRANSFERS / seconds) for seconds in wall)
        return {
            "transfers": TRANSFERS,
            "perSecond": {"min": rates[0], "median": rates[len(rates) // 2], "max": rates[-1]},
            "cpuMicrosPerTransaction": round(min(cpu) / TRANSFERS * 1e6, 1),
        }
    finally:
        shutil.rmtree(folder)


def derive(folder: Path, number: int, head: Hash32) -> tuple[float, float]:
    """Wall and CPU seconds of the command, which must end at ``head``."""
    command = [sys.executable, "-m", "sequencer", "derive", "--da", str(folder / "da"), "--engine", "native"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--data-dir", str(folder / f"derived{number}"), "--json"], check=True, stdout=subprocess.PIPE
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert json.loads(done.stdout.splitlines()[-1])["headHash"] == "0x" + head.hex()
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_chain(folder: Path, transactions: Iterator[bytes]) -> Hash32:
    """Execute ``transactions`` in full blocks and put their batches into ``folder / "da"``; the head's hash."""
    genesis = _genesis()
    layer = LocalLayer(folder / "da")
    layer.open(genesis_file.dump(genesis))
    engine = NativeEngine(folder / "made")
    try:
        header = engine.open(genesis)
        domain = Domain(workloads.CHAIN_ID, genesis.spec.verifying_contract, header.hash)
        tip = BatchTip.at_genesis(header.hash)
        blocks = _blocks(engine, header, transactions)
        while part := list(islice(blocks, _BATCH_BLOCKS)):
            batch = close(tip, part, epoch=0, term=1)
            tip = BatchTip.after(batch.header)
            signed = batch.signed([secp256k1.sign(_KEY, domain.digest(tip.header_hash))])
            blobs = blob.pack(tip.header_hash, signed.encoded, layer.limits().blob_size_bytes)
            asyncio.run(layer.submit(blobs))
            head = part[-1].hash
        return head
    finally:
        engine.close()


def _genesis() -> Genesis:
    address = secp256k1.address_of_private_key(_KEY)
    plain = workloads.genesis(workloads.USERS)
    return replace(plain, spec=replace(plain.spec, sequencers=SequencerSet(0, (SequencerInfo(address, address),))))


def _blocks(engine: NativeEngine, head: Header, transactions: Iterator[bytes]) -> Iterator[BatchBlock]:
    """Executed blocks, the last of which may be less than full."""
    flashblock_parent = head.hash
    sequence = 0
    while raws := list(islice(transactions, _BLOCK)):
        attributes = replace(workloads.attributes(head), term=1)
        engine.begin(attributes)
        entries: list[FlashblockEntry] = []
        for at in range(0, len(raws), _FLASHBLOCK):
            part = raws[at : at + _FLASHBLOCK]
            entry = _flashblock(engine, attributes, flashblock_parent, at, part, sequence + at)
            flashblock_parent = entry.flashblock.struct_hash
            entries.append(entry)
        sequence += len(raws)
        head = engine.seal().header
        engine.commit(head.number)
        yield BatchBlock(attributes, tuple(entries), head.hash, head.state_root)


def _flashblock(
    engine: NativeEngine, block: PayloadAttributes, parent: Hash32, position: int, raws: list[bytes], sequence: int
) -> FlashblockEntry:
    """The transactions executed, and what a log would hold of them."""
    transactions = recover(raws)
    outcomes = [done.outcome_hash for done in engine.apply(transactions) if not isinstance(done, Rejected)]
    hashes = [transaction.hash for transaction in transactions]
    index = position // _FLASHBLOCK
    flashblock = Flashblock(
        epoch=0,
        term=1,
        reset=0,
        block_number=block.number,
        index=index,
        first_position=position,
        transaction_count=len(raws),
        parent=parent,
        order_root=merkle.root(order_leaves(position, hashes)),
        outcomes_root=merkle.root(outcome_leaves(position, outcomes)),
        ordering_policy=block.extra_data,
        timestamp_ms=block.timestamp * 1000 + index * 10,
        post_by=block.timestamp + 3600,
    )
    arrivals = tuple(ArrivalRecord(sequence + at, at % 9, 0) for at in range(len(raws)))
    return FlashblockEntry(flashblock, tuple(raws), tuple(outcomes), arrivals)
