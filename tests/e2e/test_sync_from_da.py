"""An empty data directory, a genesis file and a DA layer: the chain comes back, and goes on without a gap."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from da import frame
from da.celestia.config import CelestiaConfig
from da.ethereum.config import EthereumConfig
from da.selection import LayerSettings, open_layer
from sequencer.cli.main import run
from sequencer.core import genesis as genesis_file
from sequencer.signer import keystore
from sequencer.testing.celestia import WRITER
from tests.devnet import Devnet, running
from tests.e2e.test_da_layers import SAFE_S, celestia_on_a_port, derive, wait_for
from tests.l1 import KEYS, POSTER_KEY, anvil
from tests.operator import new_directory, operating, refused
from tests.wallet import Wallet

SENDERS = 4
TRUST = ("--sync-from", "da", "--signed-nothing-beyond-da")


@dataclass
class Public:
    """A layer, and how each command reaches it."""

    name: str
    devnet_flags: list[str]
    settings: list[str]
    layers: LayerSettings


@pytest.fixture(params=["local", "celestia", "ethereum", "celestia with an inbox"])
def public(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Public]:
    name: str = request.param
    flags, settings = [], []
    celestia, ethereum = CelestiaConfig(), EthereumConfig()
    with ExitStack() as stack:
        if name == "local":
            settings.append(f"node.local_da_dir={tmp_path / 'node' / 'da'}")
        if name in ("ethereum", "celestia with an inbox"):
            url = stack.enter_context(anvil("--block-time", "1")).url
            key = tmp_path / "l1.key"
            key.write_text(POSTER_KEY.hex())
            key.chmod(0o600)
            flags += ["--l1-url", url]
            settings += [f"ethereum.url={url}", f"ethereum.key_file={key}", "ethereum.adopt_nonces=true"]
            ethereum = EthereumConfig(url=url)
        if name.startswith("celestia"):
            token = tmp_path / "token"
            token.write_text(WRITER)
            url = stack.enter_context(celestia_on_a_port())
            flags += ["--celestia-url", url, "--celestia-token-file", str(token)]
            settings += [f"celestia.url={url}", f"celestia.token_file={token}"]
            celestia = CelestiaConfig(url=url, token_file=token)
        yield Public(name.split()[0], flags, settings, LayerSettings(celestia, ethereum))


def load(node: Devnet, rounds: int) -> list[dict[str, Any]]:
    """Transfers of several senders, and one contract that writes its storage. The answers of those waited for."""
    wallets = [node.wallet(index) for index in range(SENDERS)]
    answers = []
    for round_number in range(rounds):
        for wallet in wallets:
            for _ in range(5):
                node.rpc("eth_sendRawTransaction", transfer(wallet))
            answers.append(node.rpc("eth_sendRawTransactionSync", transfer(wallet)))
        stores = bytes.fromhex(f"60{round_number + 1:02x}60015500")  # at creation, in slot 1
        deployed = wallets[0].sign(data=stores, gas_limit=100_000)
        answers.append(node.rpc("eth_sendRawTransactionSync", "0x" + deployed.hex()))
    return answers


def transfer(wallet: Wallet) -> str:
    return "0x" + wallet.sign(to=(2**64 + wallet.nonce).to_bytes(20, "big"), value=1).hex()


def frames_on(public: Public, devnet_dir: Path) -> Counter[tuple[bytes, int]]:
    """Every frame that stands on the layer, by batch and number."""

    async def read() -> Counter[tuple[bytes, int]]:
        genesis = genesis_file.load((devnet_dir / "genesis.json").read_text())
        found: Counter[tuple[bytes, int]] = Counter()
        async with open_layer(
            genesis.spec.da, public.layers, local_dir=devnet_dir / "da", genesis_text=None, clock_ms=lambda: 0
        ) as opened:
            async for _, blob in opened.layer.blobs(1):
                found.update((piece.batch_id, piece.number) for piece in frame.parse(blob).frames)
        return found

    return asyncio.run(read())


def derived(public: Public, devnet_dir: Path, folder: Path, *more: str) -> dict[str, Any]:
    where = str(devnet_dir / "da") if public.name == "local" else public.name
    return derive(where, public.devnet_flags, devnet_dir / "genesis.json", folder, *more)


def block(node: Devnet, number: int | str) -> dict[str, Any]:
    shown = number if isinstance(number, str) else hex(number)
    found: dict[str, Any] = node.rpc("eth_getBlockByNumber", shown, False)
    return found


def is_safe(node: Devnet, number: int) -> bool:
    return int(block(node, "safe")["number"], 16) >= number


def test_an_empty_node_reaches_the_same_head_from_da_alone_and_goes_on(public: Public, tmp_path: Path) -> None:
    old = tmp_path / "node"
    with running(old, "--da", public.name, "--block-time", "250ms", *public.devnet_flags) as node:
        answers = load(node, 4)
        sealed = node.wait_sealed(answers[-1]["transactionHash"])
        slot = node.rpc("eth_getStorageAt", answers[-1]["contractAddress"], "0x1", "latest")
        wait_for(lambda: is_safe(node, int(sealed["blockNumber"], 16)), SAFE_S, node)
        assert node.stop() == 0
    whole = derived(public, old, tmp_path / "derived")
    assert whole["headNumber"] >= int(sealed["blockNumber"], 16)

    new = new_directory(tmp_path / "new", old)
    code, reason = refused(new, "--sync-from", "da", settings=public.settings)
    assert code == 1, reason
    assert "--signed-nothing-beyond-da" in reason
    code, reason = refused(new, settings=public.settings)
    assert code == 2, reason
    assert "give --sync-from da again" in reason

    with operating(new, *TRUST, settings=public.settings) as node:
        head = block(node, whole["headNumber"])
        assert (head["hash"], head["stateRoot"]) == (whole["headHash"], whole["stateRoot"])
        assert node.rpc("eth_getStorageAt", answers[-1]["contractAddress"], "0x1", "latest") == slot
        for answer in answers:
            again = node.rpc("eth_getTransactionReceipt", answer["transactionHash"])
            assert (again["blockNumber"], again["gasUsed"]) == (answer["blockNumber"], answer["gasUsed"])
            assert node.rpc("sequencer_getPreconfirmation", answer["transactionHash"]) == answer["preconfirmation"]
        goes_on(node, whole["headNumber"])
        node.kill()
    with operating(new, *TRUST, settings=public.settings) as node:  # which then is a start like any other
        last = goes_on(node, whole["headNumber"])
        wait_for(lambda: is_safe(node, last), SAFE_S, node)
        batches = list(iter_batches(node))
        assert node.stop() == 0
    assert [batch["firstBlock"] for batch in batches[1:]] == [
        hex(int(batch["lastBlock"], 16) + 1) for batch in batches[:-1]
    ], "no gap"
    assert all(count == 1 for count in frames_on(public, old).values()), "nothing was posted twice"
    assert derived(public, old, tmp_path / "again", "--to", str(last))["headNumber"] == last


def test_folders_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with running(tmp_path / name, "--block-time", "250ms") as node:
            load(node, 1)
            assert node.stop() == 0
    where = [f"node.local_da_dir={tmp_path / 'one' / 'da'}"]
    other = new_directory(tmp_path / "new", tmp_path / "two")
    code, reason = refused(other, *TRUST, settings=where)
    assert code in (1, 2), reason
    assert "another chain" in reason

    one = new_directory(tmp_path / "synced", tmp_path / "one")
    with operating(one, *TRUST, settings=where) as node:
        assert node.stop() == 0
    (one / "genesis.json").write_text((tmp_path / "two" / "genesis.json").read_text())
    code, reason = refused(one, *TRUST)
    assert code in (1, 2), reason

    folder = tmp_path / "derived"
    derive(str(tmp_path / "one" / "da"), [], tmp_path / "one" / "genesis.json", folder)
    (folder / "genesis.json").write_text((tmp_path / "one" / "genesis.json").read_text())
    for name in ("keystore.json", "password"):
        keystore.write_private(folder / name, (one / name).read_text())
    code, reason = refused(folder, *TRUST, settings=where)
    assert code == 2, reason
    assert "use an empty one" in reason


def test_an_exported_guard_is_enough(tmp_path: Path) -> None:
    old = tmp_path / "node"
    with running(old, "--block-time", "250ms") as node:
        load(node, 1)
        assert node.stop() == 0
    new, export = new_directory(tmp_path / "new", old), tmp_path / "guard.json"
    assert run(["guard", "export", str(export), "--data-dir", str(old)]) == 0
    assert run(["guard", "import", str(export), "--data-dir", str(new)]) == 0
    with operating(new, "--sync-from", "da", settings=[f"node.local_da_dir={old / 'da'}"]) as node:
        goes_on(node, 1)
        assert node.stop() == 0


def goes_on(node: Devnet, head: int) -> int:
    """A wallet's transaction is included in a later block; returns which."""
    wallet = Wallet(KEYS[0], int(node.info["chainId"]))
    wallet.nonce = int(node.rpc("eth_getTransactionCount", "0x" + wallet.address.hex(), "pending"), 16)
    promised = node.rpc("eth_sendRawTransactionSync", transfer(wallet))
    assert promised["status"] == "0x1"
    number = int(node.wait_sealed(promised["transactionHash"])["blockNumber"], 16)
    assert number > head
    return number


def iter_batches(node: Devnet) -> Iterator[dict[str, Any]]:
    sequence = 1
    while batch := node.rpc("sequencer_getBatch", hex(sequence)):
        yield batch
        sequence += 1
