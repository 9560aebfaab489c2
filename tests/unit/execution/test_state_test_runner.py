"""The runner tells a case that holds from one that does not, and says why."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from execution.statetest import Case, CaseBlock, host, load_cases, run_case
from sequencer.core.errors import Malformed, Reason, Rejected
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.keccak import EMPTY_LIST_HASH
from sequencer.core.receipt import Log
from sequencer.core.transaction import RecoveredTransaction
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Address, Hash32
from tests.wallet import Wallet

ROOT = Hash32(b"\x11" * 32)


class FakeRules:
    """Answers every transaction the same way."""

    forks = ("prague",)

    def __init__(self, refusal: Rejected | None = None, logs: tuple[Log, ...] = ()) -> None:
        self._answer = (ROOT, logs, refusal)

    def run(
        self, fork: str, block: CaseBlock, accounts: Mapping[Address, GenesisAccount], transaction: RecoveredTransaction
    ) -> tuple[Hash32, tuple[Log, ...], Rejected | None]:
        return self._answer


CASE = Case(
    name="a case",
    fork="prague",
    block=CaseBlock(1, 1, 1, 10**7, 7, 0, ZERO_ADDRESS, ZERO_HASH),
    accounts={},
    raw=Wallet(b"\x01" * 32, 1).sign(b"\x22" * 20),
    state_root=ROOT,
    logs_hash=Hash32(EMPTY_LIST_HASH),
    expected_exception=None,
)
REFUSAL = Rejected(Reason.NONCE_TOO_LOW)


@pytest.mark.parametrize(
    ("case", "rules", "status", "reason"),
    [
        (CASE, FakeRules(), "passed", ""),
        (replace(CASE, state_root=ZERO_HASH), FakeRules(), "failed", "state root is 0x1111"),
        (CASE, FakeRules(logs=(Log(ZERO_ADDRESS, (), b""),)), "failed", "logs hash is"),
        (CASE, FakeRules(REFUSAL), "failed", "transaction refused: nonce too low"),
        (replace(CASE, expected_exception="X"), FakeRules(REFUSAL), "passed", ""),
        (replace(CASE, expected_exception="X"), FakeRules(), "failed", "transaction accepted, expected X"),
        (replace(CASE, expected_exception="X", state_root=ZERO_HASH), FakeRules(REFUSAL), "failed", "state root"),
        (replace(CASE, fork="osaka"), FakeRules(), "skipped", "fork osaka is not among prague"),
        (replace(CASE, raw=b"\x02"), FakeRules(), "failed", "transaction does not decode"),
        (replace(CASE, raw=b"\x02", expected_exception="X"), FakeRules(), "passed", ""),
    ],
)
def test_a_case_passes_only_if_everything_is_as_expected(
    case: Case, rules: FakeRules, status: str, reason: str
) -> None:
    result = run_case(case, rules)
    assert (result.name, result.fork, result.status) == (case.name, case.fork, status)
    assert result.reason.startswith(reason)
    assert bool(result.reason) == (status != "passed")


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"a": {"post": {"Prague": [{}]}}})])
def test_a_file_of_another_kind_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(Malformed, match=r"other\.json is not a state_test file"):
        list(load_cases(path))


def test_only_known_engines_run_state_tests() -> None:
    assert host("reference").forks == ("cancun", "prague")
    with pytest.raises(ValueError, match="abacus"):
        host("abacus")
