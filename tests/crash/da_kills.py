"""``kill -9`` a real node that posts to a real L1 or a strict celestia-node, again and again; then derive its chain.

Every batch must have effect once: the chain that comes back from the layer alone is the node's, to its safe head, and
no blob was taken twice.

    python -m tests.crash.da_kills --layer ethereum --cycles 50
"""

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from sequencer.testing.celestia import WRITER
from tests.devnet import start
from tests.e2e.test_da_layers import celestia_on_a_port, derive, wait_for
from tests.l1 import anvil
from tests.wallet import GWEI, Wallet


def main(layer: str, cycles: int, seed: int) -> int:
    rng = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if layer == "ethereum":
            flags = ["--l1-url", stack.enter_context(anvil("--block-time", "1")).url]
        else:
            (folder / "token").write_text(WRITER)
            url = stack.enter_context(celestia_on_a_port())
            flags = ["--celestia-url", url, "--celestia-token-file", str(folder / "token")]
        for cycle in range(cycles + 1):
            node = start(folder / "node", "--da", layer, *flags)
            wallet: Wallet = node.wallet(0)
            for _ in range(5):
                raw = wallet.sign(b"\x77" * 20, value=1, max_fee_per_gas=100 * GWEI)
                node.rpc("eth_sendRawTransactionSync", "0x" + raw.hex())
            if cycle < cycles:
                time.sleep(rng.random() * 4)  # a real process dies at a moment that nobody chose
                node.kill()
        head = int(node.rpc("eth_blockNumber"), 16)
        wait_for(lambda: int(node.rpc("eth_getBlockByNumber", "safe", False)["number"], 16) >= head, 120, node)
        safe = node.rpc("eth_getBlockByNumber", "safe", False)
        number = int(safe["number"], 16)
        found = derive(layer, flags, folder / "node" / "genesis.json", folder / "derived", "--to", str(number))
        assert found == {"headNumber": number, "headHash": safe["hash"], "stateRoot": safe["stateRoot"]}
        node.stop()
    print(f"{layer}: {cycles} kills, {number} blocks derived, {5 * (cycles + 1)} transactions")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layer", choices=("ethereum", "celestia"), required=True)
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.layer, arguments.cycles, arguments.seed))
