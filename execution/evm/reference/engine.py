"""The reference engine as the node sees it: a thin blocking front for processes that run py-evm."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from execution.evm.reference.process import BACKGROUND_NICE, ExecutionProcess
from execution.evm.reference.read_pool import ReadPool
from execution.evm.reference.wire import pack_transaction, portable, portable_simulation, unpack_outcome
from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.calls import AccountView, CallRequest, CallResult
from sequencer.core.errors import Fatal, Rejected
from sequencer.core.genesis import Genesis
from sequencer.core.inspection import AccountProof, SlotProof
from sequencer.core.ports import StateAt
from sequencer.core.receipt import ExecutedOutcome, Outcome
from sequencer.core.simulation import SimulatedBlock, Simulation
from sequencer.core.transaction import AccessListEntry, Transaction
from sequencer.core.types import Address, Hash32

_SLOTS_AT_ONCE: Final = 64
"""Of a proof: a few milliseconds of the thread that answers all reads."""


@dataclass(slots=True)
class _OpenBlock:
    """What the parent remembers of the open block, so that it need not be sent back."""

    transactions: list[Transaction] = field(default_factory=list)
    outcomes: list[ExecutedOutcome] = field(default_factory=list)


class ReferenceEngine:
    """``ExecutionEngine`` on py-evm, with ``Inspection``.

    Starts its processes at once, and first waits for them in ``open``. With ``background`` they make way for others.
    """

    name = "reference"

    def __init__(
        self, folder: Path, *, read_workers: int = 1, pass_fds: Sequence[int] = (), background: bool = False
    ) -> None:
        self._process = ExecutionProcess(folder, pass_fds, BACKGROUND_NICE if background else 0)
        self._pool = ReadPool(self._process, read_workers)
        self._traces = ReadPool(self._process, read_workers)
        self._start_lock = threading.Lock()
        self._forks: tuple[str, ...] | None = None
        self._height: int | None = None
        self._block: _OpenBlock | None = None

    @property
    def forks(self) -> tuple[str, ...]:
        """The forks that answered their probe, in order of activation. Waits until the process is ready."""
        with self._start_lock:
            if self._forks is None:
                self._forks = self._process.requests.receive()
            return self._forks

    def open(self, genesis: Genesis) -> Header:
        missing = [fork.name for fork in genesis.spec.forks if fork.name not in self.forks]
        if missing:
            raise Fatal(f"the reference engine does not run the rules of {', '.join(missing)}")
        header: Header
        header, self._height = self._process.requests.ask("open", genesis)
        return header

    def height(self) -> int:
        if self._height is None:
            raise Fatal("the engine is not open")
        return self._height

    # -------------------------------------------------------------------------- the open block

    def begin(self, attributes: PayloadAttributes) -> None:
        self._process.requests.ask("begin", attributes)
        self._block = _OpenBlock()

    def apply(self, transactions: Sequence[Transaction]) -> list[Outcome | Rejected]:
        block = self._open_block()
        packed = self._process.requests.ask("apply", [pack_transaction(transaction) for transaction in transactions])
        answers: list[Outcome | Rejected] = []
        for transaction, fields in zip(transactions, packed, strict=True):
            answer = unpack_outcome(fields)
            if not isinstance(answer, Rejected):
                block.transactions.append(transaction)
                block.outcomes.append(answer)
            answers.append(answer)
        return answers

    def mark(self) -> int:
        return len(self._open_block().transactions)

    def rewind(self, mark: int) -> None:
        block = self._open_block()
        self._process.requests.ask("rewind", mark)
        del block.transactions[mark:], block.outcomes[mark:]

    def seal(self) -> Block:
        block = self._open_block()
        header: Header = self._process.requests.ask("seal")
        self._block = None
        return Block(header, tuple(block.transactions), tuple(block.outcomes))

    def cancel(self) -> None:
        self._process.requests.ask("cancel")
        self._block = None

    def commit(self, number: int) -> None:
        self._height = self._process.requests.ask("commit", number)

    def sync(self) -> None:
        self._process.requests.ask("sync")

    def unwind(self, to: int) -> None:
        self._height = self._process.requests.ask("unwind", to)
        self._block = None

    # ----------------------------------------------------------------------------------- reads

    def accounts(self, addresses: Sequence[Address], at: StateAt) -> list[AccountView]:
        views = self._process.reads.ask("accounts", list(addresses), at)
        return [AccountView(*view) for view in views]

    def code(self, address: Address, at: StateAt) -> bytes:
        code: bytes = self._process.reads.ask("code", address, at)
        return code

    def storage(self, address: Address, slots: Sequence[Hash32], at: StateAt) -> list[Hash32]:
        values: list[Hash32] = self._process.reads.ask("storage", address, list(slots), at)
        return values

    def call(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> CallResult:
        result: CallResult = self._pool.ask(deadline_s, "call", portable(request), at, gas_cap)
        return result

    def estimate(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> int | CallResult:
        result: int | CallResult = self._pool.ask(deadline_s, "estimate", portable(request), at, gas_cap)
        return result

    # ----------------------------------------------------------------- looking into executions

    def proof(self, address: Address, slots: Sequence[Hash32], number: int) -> AccountProof:
        """The proof in the state after block ``number``; every state is kept. Some slots at a time, so that other
        reads get their turn between."""
        account, nodes = self._process.reads.ask("account_proof", address, number)
        proven: list[SlotProof] = []
        for start in range(0, len(slots), _SLOTS_AT_ONCE):
            some = list(slots[start : start + _SLOTS_AT_ONCE])
            answers = self._process.reads.ask("slot_proofs", account.storage_root, some)
            proven += (SlotProof(slot, value, tuple(path)) for slot, (value, path) in zip(some, answers, strict=True))
        root, code_hash = Hash32(account.storage_root), Hash32(account.code_hash)
        return AccountProof(account.nonce, account.balance, root, code_hash, tuple(nodes), tuple(proven))

    def create_access_list(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float
    ) -> tuple[tuple[AccessListEntry, ...], CallResult]:
        """What the call touches, without sender, recipient and precompiles, and the result with that list in place."""
        found: tuple[tuple[AccessListEntry, ...], CallResult]
        found = self._pool.ask(deadline_s, "create_access_list", portable(request), at, gas_cap)
        return found

    def simulate(self, simulation: Simulation, at: StateAt, gas_cap: int, deadline_s: float) -> list[SimulatedBlock]:
        """Blocks that do not exist, as geth's ``eth_simulateV1`` makes them."""
        blocks: list[SimulatedBlock]
        blocks = self._pool.ask(deadline_s, "simulate", portable_simulation(simulation), at, gas_cap)
        return blocks

    def trace_call(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float, options: Mapping[str, object]
    ) -> str:
        """The trace of a call, as JSON text in the shape of geth's ``debug_traceCall`` for these options."""
        text: str = self._traces.ask(deadline_s, "trace_call", portable(request), at, gas_cap, dict(options))
        return text

    def trace_transactions(
        self,
        number: int,
        transactions: Sequence[Transaction],
        wanted: range,
        deadline_s: float,
        options: Mapping[str, object],
    ) -> list[str]:
        """Traces, as JSON text, of the ``wanted`` transactions of sealed block ``number``, given all of them."""
        packed = [pack_transaction(transaction) for transaction in transactions[: wanted.stop]]
        texts: list[str] = self._traces.ask(deadline_s, "trace_block", number, packed, wanted.start, dict(options))
        return texts

    def close(self) -> None:
        self._pool.close()
        self._traces.close()
        self._process.close()

    def _open_block(self) -> _OpenBlock:
        if self._block is None:
            raise Fatal("no block is open")
        return self._block
