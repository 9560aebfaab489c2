"""The public state tests, each file a test: two cases of each in every run, all with ``CONFORMANCE_FULL=1``."""

import os
from itertools import islice
from pathlib import Path

import pytest

from execution.evm.reference.read_worker import with_deep_stack
from execution.statetest import Case, CaseResult, host, load_cases, run_case
from tests.vectors import find_vectors, vectors_dir

SAMPLE_SIZE = None if os.environ.get("CONFORMANCE_FULL") else 2
FORKS = ("cancun", "prague")
"""What the reference rules have; files with later forks alone are the native engine's."""
EXPECTED_CASES = 1187
"""Cases of these forks in the collection."""


def _files() -> list[Path]:
    """Those with cases of the forks that the reference rules have; none where the vectors are absent, which
    ``test_the_collection_is_complete`` says."""
    vectors = find_vectors()
    files = sorted((vectors / "evm-state").glob("*.json")) if vectors else []
    return [path for path in files if _cases(path, FORKS)]


def _cases(path: Path, forks: tuple[str, ...]) -> list[Case]:
    return [case for case in load_cases(path) if case.fork in forks]


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.stem)
def test_cases_hold_on_the_reference_rules(path: Path) -> None:
    rules = host("reference")
    assert rules.forks == FORKS
    cases = list(islice(_cases(path, FORKS), SAMPLE_SIZE))
    results: list[CaseResult] = []
    with_deep_stack(lambda: results.extend(run_case(case, rules) for case in cases)).join()
    assert len(results) == len(cases)
    assert [result for result in results if result.status != "passed"] == []


def test_the_collection_is_complete() -> None:
    vectors_dir()  # skips without them
    assert sum(len(_cases(path, FORKS)) for path in _files()) == EXPECTED_CASES
