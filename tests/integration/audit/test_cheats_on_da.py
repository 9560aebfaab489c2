"""``sequencer audit`` on a DA folder that a cheating leader filled: well signed, in one chain, and out of order."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from da.batcher import BatchTip, close
from da.blob import pack
from da.blocks import BatchBlock
from da.local import LocalLayer
from sequencer import chain_file
from sequencer.cli.main import run
from sequencer.core import genesis as genesis_file
from sequencer.core import merkle, secp256k1
from sequencer.core.block import PayloadAttributes
from sequencer.core.eip712 import Domain
from sequencer.core.encoding import data
from sequencer.core.entries import ArrivalRecord, FlashblockEntry
from sequencer.core.flashblock import Flashblock, order_leaves
from sequencer.core.genesis import Genesis
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo
from sequencer.core.received import Received
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Hash32
from sequencer.genesis_block import genesis_header
from sequencer.ordering.received import SignedReceived
from tests.wallet import Wallet

KEY = keccak256(b"leader")
LEADER = secp256k1.address_of_private_key(KEY)
NOW_MS = 1_700_000_100_000


def made_genesis() -> Genesis:
    file = chain_file.load(chain_file.find("devnet"))
    return file.genesis(timestamp=1_700_000_000, seed=ZERO_HASH, sequencers=(SequencerInfo(LEADER, LEADER),))


GENESIS = made_genesis()
HEADER = genesis_header(GENESIS)
DOMAIN = Domain(GENESIS.spec.chain_id, GENESIS.spec.verifying_contract, HEADER.hash)
RAWS = [Wallet(keccak256(b"user %d" % n), GENESIS.spec.chain_id).sign(to=b"\x11" * 20, value=n) for n in range(5)]


def block(number: int, parent: Hash32, parent_flashblock: Hash32, placed: list[tuple[int, int]]) -> BatchBlock:
    """A block of one flashblock; ``placed`` are transactions and their recorded numbers, in order."""
    attributes = PayloadAttributes(
        number=number,
        parent_hash=parent,
        timestamp=NOW_MS // 1000 + number,
        gas_limit=GENESIS.spec.gas_limit,
        base_fee_per_gas=10**9,
        coinbase=ZERO_ADDRESS,
        prev_randao=ZERO_HASH,
        extra_data=GENESIS.spec.ordering.policy_id,
        term=1,
    )
    raws = tuple(RAWS[which] for which, _ in placed)
    flashblock = Flashblock(
        epoch=0,
        term=1,
        reset=0,
        block_number=number,
        index=0,
        first_position=0,
        transaction_count=len(raws),
        parent=parent_flashblock,
        order_root=merkle.root(order_leaves(0, [keccak256(raw) for raw in raws])),
        outcomes_root=keccak256(b"outcomes"),
        ordering_policy=attributes.extra_data,
        timestamp_ms=NOW_MS + 1000 * number,
        post_by=NOW_MS,
    )
    arrivals = tuple(ArrivalRecord(sequence, 500 - sequence, 0) for _, sequence in placed)
    entry = FlashblockEntry(flashblock, raws, tuple(keccak256(raw) for raw in raws), arrivals)
    return BatchBlock(attributes, (entry,), keccak256(b"block %d" % number), keccak256(b"state"))


def publish(folder: Path, *contents: list[tuple[int, int]]) -> None:
    """Post one batch with a block for each of ``contents``."""
    blocks: list[BatchBlock] = []
    parent = flashblock = HEADER.hash
    for number, placed in enumerate(contents, 1):
        blocks.append(block(number, parent, flashblock, placed))
        parent, flashblock = blocks[-1].hash, blocks[-1].flashblocks[-1].flashblock.struct_hash
    closed = close(BatchTip.at_genesis(HEADER.hash), blocks, epoch=0, term=1)
    batch = closed.signed([secp256k1.sign(KEY, DOMAIN.digest(closed.header.struct_hash))])
    layer = LocalLayer(folder)
    layer.open(genesis_file.dump(GENESIS))
    asyncio.run(layer.submit(pack(batch.header.struct_hash, batch.encoded, layer.limits().blob_size_bytes)))


def audit(capsys: pytest.CaptureFixture[str], folder: Path, last: int, *more: str) -> tuple[int, dict[str, Any]]:
    code = run(["audit", "--from", "1", "--to", str(last), "--da", str(folder), "--json", *more])
    return code, json.loads(capsys.readouterr().out or "{}")


def name(which: int) -> str:
    return data(keccak256(RAWS[which]))


def signed_receipt(which: int, sequence: int, received_ms: int, key: bytes = KEY) -> str:
    received = Received(keccak256(RAWS[which]), sequence, received_ms)
    signature = secp256k1.sign(key, DOMAIN.digest(received.struct_hash))
    return json.dumps(SignedReceived(received, secp256k1.address_of_private_key(key), signature).to_json())


def test_an_honest_chain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path, [(0, 0), (1, 1)], [(2, 2), (3, 4), (4, 7)])
    assert audit(capsys, tmp_path, 2) == (0, {"kept": True, "blocks": 2, "violations": []})


def test_the_first_violation_of_each_block_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path, [(0, 0), (2, 2), (1, 1)], [(4, 4), (3, 3)])
    assert audit(capsys, tmp_path, 2) == (
        1,
        {
            "kept": False,
            "blocks": 2,
            "violations": [
                {"block": 1, "position": 1, "rule": "order", "txHash": name(2)},
                {"block": 2, "position": 0, "rule": "order", "txHash": name(4)},
            ],
        },
    )
    assert run(["audit", "--from", "1", "--to", "2", "--da", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "NOT kept: 2 of 2 blocks break fcfs"


def test_one_that_was_held_back_for_a_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path, [(0, 0), (2, 2)], [(1, 1), (3, 3)])
    code, report = audit(capsys, tmp_path, 1)
    assert (code, report["violations"]) == (1, [{"block": 1, "position": 1, "rule": "order", "txHash": name(2)}])


def test_falsified_records_need_the_senders_receipt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path, [(0, 0), (2, 1), (1, 2)])
    assert audit(capsys, tmp_path, 1)[0] == 0
    file = tmp_path / "receipts.json"
    truth = NOW_MS + 1000 - 499
    file.write_text(f"[{signed_receipt(1, 1, truth)}]")
    code, report = audit(capsys, tmp_path, 1, "--receipts", str(file))
    assert (code, report["violations"]) == (1, [{"block": 1, "position": 2, "rule": "record", "txHash": name(1)}])
    file.write_text(signed_receipt(2, 1, truth))
    assert audit(capsys, tmp_path, 1, "--receipts", str(file))[0] == 0


@pytest.mark.parametrize("content", ["{", "[1]", "{}", signed_receipt(1, 1, 1, keccak256(b"somebody else"))])
def test_receipts_that_prove_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    publish(tmp_path, [(0, 0)])
    (tmp_path / "receipts").write_text(content)
    assert audit(capsys, tmp_path, 1, "--receipts", str(tmp_path / "receipts"))[0] == 2


def test_blocks_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path, [(0, 0)])
    assert audit(capsys, tmp_path, 2)[0] == 3
