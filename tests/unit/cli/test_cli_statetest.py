"""``sequencer statetest``: a line a case, a plain last line, and an exit code that tells."""

import json
from pathlib import Path

import pytest

from sequencer.cli.main import run
from tests.vectors import vectors_dir

ENGINE = ("--engine", "reference")


@pytest.fixture
def file() -> Path:
    return vectors_dir() / "evm-state" / "shanghai__eip3855_push0.json"


def test_every_case_has_a_line_and_the_last_line_counts(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["statetest", *ENGINE, "--fork", "Prague", str(file)]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"{len(lines)} passed, 0 failed"
    assert all(line.startswith("passed  prague") for line in lines)


def test_json_is_an_object_a_case_and_the_same_last_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["statetest", *ENGINE, "--json", "--fork", "prague", str(file)]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"{len(lines)} passed, 0 failed"
    assert all(json.loads(line)["pass"] for line in lines)


def test_a_fork_that_the_engine_lacks_is_skipped_and_never_passed(capsys: pytest.CaptureFixture[str]) -> None:
    file = vectors_dir() / "evm-state" / "osaka__eip7939_count_leading_zeros.json"
    assert run(["statetest", *ENGINE, str(file)]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"0 passed, 0 failed, {len(lines)} skipped"


def test_a_wrong_expectation_fails(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(file.read_text())
    name, case = next(iter(document.items()))
    posts = next(iter(case["post"].values()))
    posts[0]["hash"] = "0x" + "11" * 32
    doctored = tmp_path / "doctored.json"
    doctored.write_text(json.dumps({name: case}))
    assert run(["statetest", *ENGINE, str(doctored)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 passed, 1 failed")


def test_a_path_that_is_not_there_is_usage(tmp_path: Path) -> None:
    assert run(["statetest", *ENGINE, str(tmp_path / "nowhere")]) == 2
