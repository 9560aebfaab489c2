"""Runs cases of the ``state_test`` format of ethereum/execution-spec-tests: one transaction on a given state.

A case holds when the state root and the hash of the logs after it are the expected ones, or when the
transaction had to be refused and was, leaving the state as it stood.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sequencer.core import encoding, rlp, transaction
from sequencer.core.errors import Malformed, Rejected
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.keccak import keccak256
from sequencer.core.receipt import Log
from sequencer.core.transaction import RecoveredTransaction
from sequencer.core.types import UINT64_MAX, ZERO_HASH, Address, Hash32


@dataclass(frozen=True, slots=True)
class CaseBlock:
    """The block around the transaction of a case. Fees in wei, gas in gas, time in unix seconds."""

    chain_id: int
    number: int
    timestamp: int
    gas_limit: int
    base_fee_per_gas: int
    excess_blob_gas: int
    coinbase: Address
    prev_randao: Hash32


@dataclass(frozen=True, slots=True)
class Case:
    """One test under one fork. ``raw`` is the transaction as it came over the wire."""

    name: str
    fork: str
    block: CaseBlock
    accounts: Mapping[Address, GenesisAccount]
    raw: bytes
    state_root: Hash32
    logs_hash: Hash32
    expected_exception: str | None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How a case went: ``passed``, ``failed`` or ``skipped``, and why if not passed."""

    name: str
    fork: str
    status: str
    reason: str = ""


class StateTestHost(Protocol):
    """The piece of an engine that state tests need."""

    @property
    def forks(self) -> tuple[str, ...]:
        """The forks it runs."""
        ...

    def run(
        self, fork: str, block: CaseBlock, accounts: Mapping[Address, GenesisAccount], transaction: RecoveredTransaction
    ) -> tuple[Hash32, tuple[Log, ...], Rejected | None]:
        """State root after the transaction, its logs, and why it was refused if it was."""
        ...


def host(engine: str) -> StateTestHost:
    """The host of the engine with this name. Raises ``ValueError`` for one that runs no state tests."""
    if engine == "reference":
        from execution.evm.reference.statetest import ReferenceStateTests

        return ReferenceStateTests()
    if engine == "native":
        from execution.evm.native.statetest import NativeStateTests

        return NativeStateTests()
    raise ValueError(f"engine {engine} runs no state tests")


def run_case(case: Case, on: StateTestHost) -> CaseResult:
    """Run one case."""
    if case.fork not in on.forks:
        return CaseResult(case.name, case.fork, "skipped", f"fork {case.fork} is not among {', '.join(on.forks)}")
    problem = _problem(case, on)
    return CaseResult(case.name, case.fork, "failed" if problem else "passed", problem)


def _problem(case: Case, on: StateTestHost) -> str:
    try:
        decoded = transaction.recover(transaction.decode(case.raw))
    except Rejected as error:
        return "" if case.expected_exception else f"transaction does not decode: {error}"
    root, logs, refusal = on.run(case.fork, case.block, case.accounts, decoded)
    if refusal is not None and case.expected_exception is None:
        return f"transaction refused: {refusal}"
    if refusal is None and case.expected_exception is not None:
        return f"transaction accepted, expected {case.expected_exception}"
    if root != case.state_root:
        return f"state root is {encoding.data(root)}, expected {encoding.data(case.state_root)}"
    logs_hash = keccak256(rlp.encode([[log.address, log.topics, log.data] for log in logs]))
    if logs_hash != case.logs_hash:
        return f"logs hash is {encoding.data(logs_hash)}, expected {encoding.data(case.logs_hash)}"
    return ""


def load_cases(path: Path) -> Iterator[Case]:
    """The cases in a file, one a fork and set of indexes. Raises ``Malformed`` naming the file."""
    try:
        document = json.loads(path.read_bytes())
        for name, test in document.items():
            for fork, posts in test["post"].items():
                for post in posts:
                    yield _case(name, fork.lower(), test, post)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"{path} is not a state_test file: {error!r}") from None


def _case(name: str, fork: str, test: Mapping[str, Any], post: Mapping[str, Any]) -> Case:
    env = test["env"]
    return Case(
        name=name,
        fork=fork,
        block=CaseBlock(
            chain_id=_integer(test.get("config", {}).get("chainid", "0x1")),
            number=_integer(env["currentNumber"]),
            timestamp=_integer(env["currentTimestamp"]),
            gas_limit=_integer(env["currentGasLimit"]),
            base_fee_per_gas=_integer(env.get("currentBaseFee", "0x0")),
            excess_blob_gas=_integer(env.get("currentExcessBlobGas", "0x0")),
            coinbase=encoding.parse_address(env["currentCoinbase"]),
            prev_randao=Hash32(_integer(env.get("currentRandom", "0x0")).to_bytes(32, "big")),
        ),
        accounts={encoding.parse_address(address): _account(account) for address, account in test["pre"].items()},
        raw=encoding.parse_data(post["txbytes"]),
        state_root=encoding.parse_hash(post["hash"]),
        logs_hash=encoding.parse_hash(post["logs"]),
        expected_exception=post.get("expectException"),
    )


def _account(account: Mapping[str, Any]) -> GenesisAccount:
    storage = {_word(slot): _word(value) for slot, value in account["storage"].items()}
    return GenesisAccount(
        balance_wei=_integer(account["balance"]),
        nonce=min(_integer(account["nonce"]), UINT64_MAX),
        code=encoding.parse_data(account["code"]),
        storage={slot: value for slot, value in storage.items() if value != ZERO_HASH},
    )


def _integer(text: str) -> int:
    return int(text, 16)


def _word(text: str) -> Hash32:
    return Hash32(_integer(text).to_bytes(32, "big"))
