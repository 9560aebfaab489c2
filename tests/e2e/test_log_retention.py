"""Segments of the sequence log go once their blocks are final, and the node starts from what is left."""

import time
from pathlib import Path

import pytest

from tests.devnet import Devnet, running

SEGMENT_BYTES = 16 * 1024
PATIENCE_S = 60


def segments(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "log").glob("*.seg"))


def send(node: Devnet, count: int) -> list[dict[str, object]]:
    wallet = node.wallet()
    raws = [wallet.sign(to=bytes([number]) * 20, value=1) for number in range(count)]
    return [node.rpc("eth_sendRawTransactionSync", "0x" + raw.hex()) for raw in raws]


def test_final_segments_are_dropped_and_the_node_starts_from_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQUENCER_SEQUENCE_LOG__SEGMENT_BYTES", str(SEGMENT_BYTES))
    folder = tmp_path / "node"
    promised: list[dict[str, object]] = []
    for life in range(3):
        with running(folder, "--block-time", "100ms") as node:
            for receipt in promised:
                again = node.rpc("sequencer_getPreconfirmation", receipt["transactionHash"])
                assert again == receipt["preconfirmation"]
            first = segments(folder)[0]
            promised += send(node, 40)
            wait_until_dropped(node, folder, first)
            if life == 2:
                assert node.stop() == 0
            else:
                node.kill()
    size = sum(path.stat().st_size for path in (folder / "log").iterdir())
    assert size <= 4 * SEGMENT_BYTES
    assert int(segments(folder)[0].removesuffix(".seg")) > 100


def wait_until_dropped(node: Devnet, folder: Path, name: str) -> None:
    """Asks the folder again and again: a segment that another process deletes has no event here."""
    deadline = time.monotonic() + PATIENCE_S
    while name in (found := segments(folder)) or len(found) > 3:
        assert time.monotonic() < deadline, (found, node.logs()[-3000:])
        time.sleep(0.1)
