"""The Rust extension is there, is not, or is broken; a broken one is not taken for one that is not there."""

import sys
from pathlib import Path

import pytest

from sequencer.core.native_extension import native_extension

NAME = "rollup_sequencer_native"


def test_one_that_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NAME, None)
    assert native_extension() is None


def test_one_that_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _written(tmp_path, monkeypatch, "BUILT = True")
    found = native_extension()
    assert found is not None
    assert found.BUILT


@pytest.mark.parametrize("source", ["raise ImportError('undefined symbol')", "import a_module_that_nobody_has"])
def test_one_that_cannot_be_loaded(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _written(tmp_path, monkeypatch, source)
    with pytest.raises(ImportError):
        native_extension()


def _written(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """An extension of this source, in the place of whatever is installed."""
    (folder / f"{NAME}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sys.modules, NAME, None)  # what is there now comes back, even if that is nothing
    monkeypatch.delitem(sys.modules, NAME)
