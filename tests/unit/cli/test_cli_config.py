"""``sequencer config``: exit codes, standard output, and origins."""

import json
from pathlib import Path

import pytest

from sequencer.cli.main import run


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("SEQUENCER_")]:
        monkeypatch.delenv(name)


def test_show_with_origins(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[rpc]\nport = 1\n")
    monkeypatch.setenv("SEQUENCER_METRICS__PORT", "2")
    assert run(["config", "show", "--origin", "--config", str(file), "--set", "log.level=debug"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"rpc.port = 1  # file {file}" in lines
    assert "metrics.port = 2  # environment SEQUENCER_METRICS__PORT" in lines
    assert 'log.level = "debug"  # flag --set log.level' in lines
    assert 'node.engine = "auto"  # default' in lines


def test_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["rpc.port"] == {"value": "8545", "origin": "default"}


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[rpc]\nport = 1\n")
    assert run(["config", "check", "--config", str(file)]) == 0
    assert capsys.readouterr().out == "the configuration holds\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[rpc]\nport = 99999\n", "rpc.port = 99999: must be at most 65535"),
        ("[rpc]\nprot = 1\n", "rpc.prot = 1: unknown key, did you mean rpc.port?"),
        ("[block]\nblock_time_ms = 'soon'\n", "block.block_time_ms = 'soon': expected a duration"),
    ],
)
def test_check_names_key_value_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file = tmp_path / "node.toml"
    file.write_text(text)
    assert run(["config", "check", "--config", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err


def test_an_unknown_variable_exits_2(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQUENCER_RPC_PORT", "1")
    assert run(["config", "check"]) == 2
    assert "did you mean SEQUENCER_RPC__PORT" in capsys.readouterr().err


def test_reference_is_the_shipped_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "reference"]) == 0
    assert capsys.readouterr().out == (Path(__file__).parents[3] / "configs" / "reference.toml").read_text()
