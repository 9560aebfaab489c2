"""Which engine a data directory gets, and what is said when it cannot be had."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from execution import selection
from execution.selection import open_engine
from sequencer.core.errors import ConfigError
from sequencer.core.ports import ExecutionEngine


@pytest.fixture
def opened() -> Iterator[list[ExecutionEngine]]:
    engines: list[ExecutionEngine] = []
    yield engines
    for engine in engines:
        engine.close()


@pytest.fixture
def _no_native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "native_is_installed", lambda: False)


@pytest.mark.usefixtures("_no_native")
@pytest.mark.parametrize("choice", ["auto", "reference"])
def test_the_reference_engine_is_always_there(choice: str, tmp_path: Path, opened: list[ExecutionEngine]) -> None:
    opened.append(open_engine(choice, tmp_path / "data", forks_needed=["cancun", "prague"]))
    assert opened[0].name == "reference"
    assert (tmp_path / "data" / "engine").read_text() == "reference\n"


@pytest.mark.usefixtures("_no_native")
def test_a_missing_native_engine_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make native"):
        open_engine("native", tmp_path, forks_needed=["prague"])
    assert not (tmp_path / "engine").exists()


@pytest.mark.usefixtures("_no_native")
def test_a_fork_the_engine_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="osaka"):
        open_engine("auto", tmp_path, forks_needed=["prague", "osaka"])
    assert not (tmp_path / "engine").exists()


def test_an_engine_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of auto, native, reference"):
        open_engine("geth", tmp_path, forks_needed=["prague"])


def test_state_of_another_engine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("native\n")
    with pytest.raises(ConfigError, match="made by the native engine"):
        open_engine("reference", tmp_path, forks_needed=["prague"])


def test_auto_keeps_to_the_engine_that_made_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[ExecutionEngine]
) -> None:
    monkeypatch.setattr(selection, "native_is_installed", lambda: True)
    (tmp_path / "engine").write_text("reference\n")
    opened.append(open_engine("auto", tmp_path, forks_needed=["prague"]))
    assert opened[0].name == "reference"
