"""Results and exit codes."""

import json

import pytest

from sequencer.cli import main
from sequencer.cli.output import Exit, checksummed, exit_code, result_json
from sequencer.core.errors import ConfigError, Fatal, Malformed, SequencerError, Temporary, Unknown


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a", 1, "wrong"), 2),
        (Malformed("bad"), 2),
        (Temporary("busy"), 3),
        (Unknown("lost"), 3),
        (Fatal("broken"), 1),
        (SequencerError("other"), 1),
    ],
)
def test_exit_codes(error: SequencerError, code: int) -> None:
    assert exit_code(error) == code


def test_an_error_inside_task_groups_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    group = BaseExceptionGroup("tasks", [ExceptionGroup("inner", [Fatal("sync failed")])])
    assert main._explain(group) == Exit.FAILED
    assert capsys.readouterr().err == "error: sync failed\n"


def test_what_we_did_not_raise_is_not_hidden() -> None:
    with pytest.raises(ExceptionGroup):
        main._explain(ExceptionGroup("tasks", [KeyError("bug")]))


def test_json_numbers_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    result_json({"small": 2**53 - 1, "large": 2**53, "deep": [{"n": -(2**60)}], "yes": True, "none": None})
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "small": 2**53 - 1,
        "large": str(2**53),
        "deep": [{"n": str(-(2**60))}],
        "yes": True,
        "none": None,
    }


@pytest.mark.parametrize(
    "address",
    [  # of EIP-55
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_checksummed_addresses(address: str) -> None:
    assert checksummed(bytes.fromhex(address[2:])) == address
