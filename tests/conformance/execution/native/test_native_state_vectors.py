"""Every public state test, under every fork it has, on the rules of the native engine."""

from pathlib import Path

from execution.evm.native.statetest import NativeStateTests
from execution.statetest import CaseResult, load_cases, run_case
from tests.vectors import vectors_dir

EXPECTED_CASES = 2479


def test_every_case_holds() -> None:
    rules = NativeStateTests()
    results: list[CaseResult] = []
    for path in sorted((vectors_dir() / "evm-state").glob("*.json")):
        results += [run_case(case, rules) for case in load_cases(Path(path))]
    assert [result for result in results if result.status != "passed"] == []
    assert len(results) == EXPECTED_CASES


def test_a_wrong_expectation_fails() -> None:
    path = min((vectors_dir() / "evm-state").glob("*.json"))
    case = next(iter(load_cases(path)))
    from dataclasses import replace

    from sequencer.core.types import ZERO_HASH

    assert run_case(replace(case, state_root=ZERO_HASH), NativeStateTests()).status == "failed"
    assert run_case(replace(case, fork="unheard"), NativeStateTests()).status == "skipped"
