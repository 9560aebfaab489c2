"""What ``sequencer devnet`` keeps, reuses and refuses before the node starts."""

import stat
from pathlib import Path

import pytest

from sequencer import chain_file
from sequencer.cli import devnet, layers
from sequencer.cli.main import parser, run
from sequencer.core.errors import ConfigError
from sequencer.core.secp256k1 import address_of_private_key
from sequencer.lifecycle import hold_data_directory


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("SEQUENCER_")]:
        monkeypatch.delenv(name)


def prepare(folder: Path, chain_id: int | None = None, gas_limit: int | None = None) -> tuple[object, bytes]:
    chain = chain_file.load(chain_file.find("devnet"))
    with hold_data_directory(folder) as directory:
        signer = devnet._signer(directory)
        return devnet._genesis(directory, chain, signer, chain_id, gas_limit), signer.address


def test_key_and_genesis_stay_over_restarts(tmp_path: Path) -> None:
    assert prepare(tmp_path) == prepare(tmp_path)
    assert stat.S_IMODE((tmp_path / "sequencer.key").stat().st_mode) == 0o600


def test_two_chains_differ(tmp_path: Path) -> None:
    assert prepare(tmp_path / "one")[1] != prepare(tmp_path / "two")[1]


def test_flags_fix_the_chain_on_the_first_start(tmp_path: Path) -> None:
    prepare(tmp_path, chain_id=99, gas_limit=2**63 - 1)
    prepare(tmp_path, chain_id=99, gas_limit=2**63 - 1)
    prepare(tmp_path)
    with pytest.raises(ConfigError, match="made with 99, which cannot change"):
        prepare(tmp_path, chain_id=100)
    with pytest.raises(ConfigError, match="use another --data-dir"):
        prepare(tmp_path, gas_limit=30_000_000)


def test_a_start_that_was_cut_off_after_the_key_goes_on(tmp_path: Path) -> None:
    with hold_data_directory(tmp_path) as directory:
        address = devnet._signer(directory).address
    assert prepare(tmp_path)[1] == address


def test_a_key_for_the_l1_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "l1.key"
    file.write_text("11" * 32 + "\n")
    for mode in (0o640, 0o604):
        file.chmod(mode)
        with pytest.raises(ConfigError, match=f"--l1-key-file.*chmod 600 {file}"):
            layers.read_l1_key(file)
    file.chmod(0o600)
    assert layers.read_l1_key(file).address == address_of_private_key(b"\x11" * 32)
    with pytest.raises(ConfigError, match="--l1-key-file"):
        layers.read_l1_key(tmp_path / "none")


def test_an_operators_chain_is_refused(tmp_path: Path) -> None:
    with hold_data_directory(tmp_path) as directory:
        directory.genesis_file.write_text("{}")
        with pytest.raises(ConfigError, match="use: sequencer run"):
            devnet._signer(directory)


def test_flags_become_settings(tmp_path: Path) -> None:
    argv = f"devnet --data-dir {tmp_path} --port 0 --metrics-port 0 --block-time 250ms --engine reference"
    with devnet._settings(parser().parse_args(argv.split())) as (settings, temporary):
        assert not temporary
        assert settings.node.data_dir == tmp_path
        assert (settings.rpc.port, settings.metrics.port) == (0, 0)
        assert settings.block.block_time_ms == 250
        assert settings.node.engine == "reference"


def test_without_a_data_directory_a_temporary_one_is_used_and_removed() -> None:
    with devnet._settings(parser().parse_args(["devnet"])) as (settings, temporary):
        assert temporary
        assert settings.node.data_dir.is_dir()
    assert not settings.node.data_dir.exists()


def test_the_environment_names_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQUENCER_NODE__DATA_DIR", str(tmp_path))
    with devnet._settings(parser().parse_args(["devnet"])) as (settings, temporary):
        assert (settings.node.data_dir, temporary) == (tmp_path, False)


@pytest.mark.parametrize(
    "flags",
    [
        "--port 70000",
        "--block-time soon",
        "--engine geth",
        "--chain-id 0",
        "--gas-limit 0",
        "--port 1 --metrics-port 1",
    ],
)
def test_bad_flags_exit_2_with_nothing_on_stdout(
    flags: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["devnet", "--data-dir", str(tmp_path), *flags.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
