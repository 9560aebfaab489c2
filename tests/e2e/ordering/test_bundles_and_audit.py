"""A real node: bundles that never split, records that outlive a crash, and an audit from outside."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sequencer.core.keccak import keccak256
from tests import devnet
from tests.devnet import Devnet, RpcFailure
from tests.wallet import Wallet, transaction_hash

TARGET = b"\x22" * 20
REVERTING_INIT_CODE = bytes.fromhex("5f5ffd")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with devnet.running(tmp_path_factory.mktemp("node") / "data", "--block-time", "250ms") as running:
        yield running


def sent(node: Devnet, raw: bytes) -> str:
    result: str = node.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    return result


def bundle(node: Devnet, raws: list[bytes], **terms: Any) -> str:
    answer = node.rpc("eth_sendBundle", {"txs": ["0x" + raw.hex() for raw in raws], **terms})
    hashes = b"".join(keccak256(raw) for raw in raws)
    assert answer == {"bundleHash": "0x" + keccak256(hashes).hex()}
    return str(answer["bundleHash"])


def sealed_blocks(node: Devnet, count: int) -> None:
    """Wait until ``count`` more blocks are sealed."""
    target = int(node.rpc("eth_blockNumber"), 16) + count
    while int(node.rpc("eth_blockNumber"), 16) < target:
        assert node.process.poll() is None, node.logs()[-2000:]


def place(node: Devnet, raw: bytes) -> tuple[int, int]:
    while node.rpc("eth_getTransactionReceipt", transaction_hash(raw)) is None:
        assert node.process.poll() is None, node.logs()[-2000:]
    receipt = node.wait_sealed(transaction_hash(raw))
    return int(receipt["blockNumber"], 16), int(receipt["transactionIndex"], 16)


def transfers(*wallets: Wallet) -> list[bytes]:
    return [wallet.sign(to=TARGET, value=1) for wallet in wallets]


def failing(wallet: Wallet) -> bytes:
    return wallet.sign(data=REVERTING_INIT_CODE, gas_limit=100_000)


def test_a_bundle_stands_together_and_in_its_order(node: Devnet) -> None:
    a, b, c = (node.wallet(index) for index in range(3))
    raws = transfers(b, a, b, c, a)
    bundle(node, raws)
    sealed_blocks(node, 2)
    places = [place(node, raw) for raw in raws]
    block, first = places[0]
    assert places == [(block, first + offset) for offset in range(5)]


def test_one_failure_leaves_no_trace_of_any(node: Devnet) -> None:
    a, b = node.wallet(0), node.wallet(1)
    raws = [*transfers(a), failing(b), *transfers(a)]
    bundle(node, raws)
    sealed_blocks(node, 3)
    assert [node.rpc("eth_getTransactionReceipt", transaction_hash(raw)) for raw in raws] == [None] * 3
    assert node.wallet(0).nonce == a.nonce - 2
    sent(node, raws[0])
    place(node, raws[0])


def test_an_allowed_revert_does_not_undo_it(node: Devnet) -> None:
    a, b = node.wallet(2), node.wallet(3)
    raws = [*transfers(a), failing(b)]
    bundle(node, raws, revertingTxHashes=[transaction_hash(raws[1])])
    sealed_blocks(node, 2)
    (block, index), (other_block, other_index) = (place(node, raw) for raw in raws)
    assert (other_block, other_index) == (block, index + 1)
    assert node.wait_sealed(transaction_hash(raws[1]))["status"] == "0x0"


def test_a_bundle_waits_for_its_block(node: Devnet) -> None:
    raws = transfers(node.wallet(4))
    number = int(node.rpc("eth_blockNumber"), 16) + 5
    bundle(node, raws, blockNumber=hex(number))
    sealed_blocks(node, 6)
    assert place(node, raws[0])[0] == number


def test_one_that_is_in_the_pool_too_is_placed_once(node: Devnet) -> None:
    a, b = node.wallet(5), node.wallet(6)
    first, second = transfers(a, b)
    gapped = a.sign(to=TARGET, value=1)
    sent(node, gapped)
    bundle(node, [second, first, gapped])
    sealed_blocks(node, 2)
    assert place(node, gapped)[1] == place(node, first)[1] + 1 == place(node, second)[1] + 2
    assert node.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "txs is missing"),
        ({"txs": []}, "a bundle has 1 to 16 transactions"),
        ({"txs": ["0x02"]}, "rlp"),
        ({"txs": ["0x"], "replacementUuid": "x"}, "unknown member replacementUuid"),
        ({"txs": ["0x"], "blockNumber": "0x1", "maxBlockNumber": "0x2"}, "blockNumber excludes"),
    ],
)
def test_wrong_bundles_are_told_why(node: Devnet, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(RpcFailure, match=words):
        node.rpc("eth_sendBundle", wrong)


def audit(*arguments: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "sequencer", "audit", *arguments, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return ended.returncode, json.loads(ended.stdout) if ended.stdout else {}, ended.stderr


def test_an_audit_of_the_running_node_with_receipts(node: Devnet, tmp_path: Path) -> None:
    wallets = [node.wallet(index) for index in range(4)]
    hashes = [sent(node, raw) for raw in transfers(*wallets, *wallets)]
    receipts = [node.rpc("sequencer_getReceived", name) for name in hashes]
    numbers = [int(receipt["sequence"], 16) for receipt in receipts]
    assert numbers == sorted(set(numbers))
    last = max(int(node.wait_sealed(name)["blockNumber"], 16) for name in hashes)
    file = tmp_path / "receipts.jsonl"
    file.write_text("\n".join(map(json.dumps, receipts)))
    window = ("--from", "1", "--to", str(last), "--rpc", node.url)
    assert audit(*window, "--receipts", str(file))[:2] == (0, {"kept": True, "blocks": last, "violations": []})
    assert node.rpc("sequencer_getReceived", "0x" + "12" * 32) is None

    receipts[0]["sequence"] = "0x0"
    file.write_text(json.dumps(receipts))
    code, _, told = audit(*window, "--receipts", str(file))
    assert (code, "receipt 0 is not signed by a sequencer of the chain" in told) == (2, True)
    assert audit("--from", "1", "--to", "99999999", "--rpc", node.url)[0] == 3
    assert audit("--from", "2", "--to", "1", "--rpc", node.url)[0] == 2


def test_accepted_transactions_survive_kill_9_and_the_audit_reads_da(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with devnet.running(data_dir, "--block-time", "250ms") as first:
        wallet = first.wallet(0)
        gapped = [wallet.sign(to=TARGET, value=1, nonce=wallet.nonce + ahead) for ahead in (1, 2, 3)]
        for raw in gapped:
            sent(first, raw)
        first.kill()
    with devnet.running(data_dir, "--block-time", "250ms") as second:
        missing = wallet.sign(to=TARGET, value=1)
        sent(second, missing)
        places = [place(second, raw) for raw in (missing, *gapped)]
        assert places == sorted(places)
        assert second.stop() == 0
    last = str(places[-1][0])
    assert audit("--from", "1", "--to", last, "--da", str(data_dir / "da"))[:2] == (
        0,
        {"kept": True, "blocks": int(last), "violations": []},
    )
    assert audit("--from", "1", "--to", "99999", "--da", str(data_dir / "da"))[0] == 3
    assert audit("--from", "1", "--to", "2", "--da", str(tmp_path / "none"))[0] == 2
