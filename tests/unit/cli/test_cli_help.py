"""The command line explains itself, and what it explains exists."""

import argparse
import re
from collections.abc import Iterator

import pytest

from sequencer.cli.main import parser, run

DEVNET_FLAGS = (
    "--data-dir",
    "--port",
    "--metrics-port",
    "--block-time",
    "--engine",
    "--gas-limit",
    "--chain-id",
    "--json",
)


def commands(
    root: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    for action in root._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield (*path, name), inner
                yield from commands(inner, (*path, name))


ALL = dict(commands(parser()))


def test_the_commands_are_these() -> None:
    assert sorted(" ".join(path) for path in ALL) == [
        "audit",
        "config",
        "config check",
        "config reference",
        "config show",
        "db",
        "db verify",
        "derive",
        "devnet",
        "evidence",
        "evidence build",
        "evidence submit",
        "evidence verify",
        "evidence watch",
        "guard",
        "guard export",
        "guard import",
        "init",
        "keys",
        "keys import",
        "keys list",
        "keys new",
        "preconf",
        "preconf verify",
        "run",
        "statetest",
        "version",
    ]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_of_every_command(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run([*path, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: sequencer " + " ".join(path))
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("path", [path for path, inner in ALL.items() if inner.epilog], ids=" ".join)
def test_examples_parse(path: tuple[str, ...]) -> None:
    epilog = ALL[path].epilog or ""
    examples = re.findall(r"^ +(?:[A-Z_]+=\S+ )*sequencer (.*?)(?: >.*)?$", epilog, re.MULTILINE)
    assert examples
    for example in examples:
        parser().parse_args(example.split())


def test_every_argument_has_help() -> None:
    for path, inner in ALL.items():
        for action in inner._actions:
            assert action.help or isinstance(action, argparse._SubParsersAction), (path, action)


def test_devnet_takes_the_promised_flags() -> None:
    assert set(DEVNET_FLAGS) <= set(ALL["devnet",]._option_string_actions)


@pytest.mark.parametrize("argv", [[], ["nothing"], ["devnet", "--prot", "1"], ["derive"], ["config"]])
def test_wrong_usage_exits_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().out == ""
