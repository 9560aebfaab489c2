"""What is wrong with a data directory is said by the setting that names it."""

from pathlib import Path

import pytest

from sequencer.core.errors import ConfigError
from sequencer.lifecycle import hold_data_directory


@pytest.mark.parametrize(
    ("left", "told"),
    [("2\n", "has format version 2"), ("\u00e4", "has format version"), ("", "has format version ,")],
)
def test_another_format(tmp_path: Path, left: str, told: str) -> None:
    (tmp_path / "format").write_text(left)
    with pytest.raises(ConfigError, match=told), hold_data_directory(tmp_path):
        pass


def test_a_format_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "format").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"), hold_data_directory(tmp_path):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"node\.data_dir"), hold_data_directory(tmp_path / "file" / "node"):
        pass


def test_a_disk_that_refuses_the_first_write(tmp_path: Path) -> None:
    (tmp_path / ".format.new").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"), hold_data_directory(tmp_path):
        pass


def test_what_goes_wrong_inside_is_not_the_directorys_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), hold_data_directory(tmp_path):
        (tmp_path / "none").read_text()
