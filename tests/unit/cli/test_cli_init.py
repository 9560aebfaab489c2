"""``sequencer init`` writes what ``sequencer run`` needs, once."""

import json
import stat
from pathlib import Path

import pytest

from sequencer import config
from sequencer.cli import run as run_command
from sequencer.cli.main import run
from sequencer.core import genesis as genesis_file
from sequencer.lifecycle import hold_data_directory
from sequencer.signer import keystore

ADDRESS = "0x" + "ab" * 20


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore.create, "__defaults__", (2,))


def init(folder: Path, *flags: str) -> int:
    return run(["init", "--data-dir", str(folder), "--chain-id", "7100001", *flags])


def test_writes_what_run_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = tmp_path / "node"
    assert init(node, "--fund", f"{ADDRESS}=1.5", "--gas-limit", "50000000", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    settings = config.load(Path(document["configFile"]), environment={}).settings
    assert settings.node.data_dir == node
    genesis = genesis_file.load(Path(document["genesisFile"]).read_text())
    assert (genesis.spec.chain_id, genesis.spec.gas_limit) == (7100001, 50_000_000)
    assert genesis.accounts[bytes.fromhex(ADDRESS[2:])].balance_wei == 15 * 10**17
    with hold_data_directory(node) as directory:
        signer = run_command._signer(settings, directory)
    assert document["sequencer"].lower() == "0x" + signer.address.hex()
    run_command.check_member(genesis, signer)
    for name in ("keystore.json", "password"):
        assert stat.S_IMODE((node / name).stat().st_mode) == 0o600


def test_a_password_of_ones_own(tmp_path: Path) -> None:
    password = tmp_path / "secret"
    password.touch(0o600)
    password.write_text("correct horse\n")
    assert init(tmp_path / "node", "--password-file", str(password), "--fee-recipient", ADDRESS) == 0
    assert not (tmp_path / "node" / "password").exists()
    settings = config.load(tmp_path / "node" / "config.toml", environment={}).settings
    assert settings.signer.password_file == password
    genesis = genesis_file.load((tmp_path / "node" / "genesis.json").read_text())
    assert genesis.spec.sequencers.members[0].fee_recipient == bytes.fromhex(ADDRESS[2:])


def test_is_never_done_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "node") == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "node").iterdir()}
    assert init(tmp_path / "node") == 2
    assert "nothing was changed" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in (tmp_path / "node").iterdir()} == before


@pytest.mark.parametrize(
    "flags",
    [
        ("--fund", "nobody=1"),
        ("--fund", f"{ADDRESS}=lots"),
        ("--fund", f"{ADDRESS}=0.0000000000000000001"),
        ("--fee-recipient", "0x12"),
        ("--gas-limit", "1"),
        ("--chain", "mainnet"),
    ],
)
def test_refuses(tmp_path: Path, flags: tuple[str, ...]) -> None:
    assert init(tmp_path / "node", *flags) == 2
    assert not (tmp_path / "node").exists()


def test_a_chain_id_must_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--data-dir", str(tmp_path / "node")]) == 2
    assert "--chain-id" in capsys.readouterr().err


def test_run_refuses_a_key_that_is_no_sequencer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "one") == 0
    assert init(tmp_path / "two") == 0
    (tmp_path / "one" / "genesis.json").write_text((tmp_path / "two" / "genesis.json").read_text())
    capsys.readouterr()
    assert run(["run", "--config", str(tmp_path / "one" / "config.toml")]) == 2
    printed = capsys.readouterr()
    assert "is not a sequencer of chain 7100001" in printed.err
    assert printed.out == ""


def test_run_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--set", f"node.data_dir={tmp_path}"]) == 2
    assert "genesis.json" in capsys.readouterr().err
