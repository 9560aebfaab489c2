"""The native engine as the node sees it: a thin front for the Rust extension, which lets go of the GIL while it works.

Values cross as they are. Transactions and outcomes stay Rust's own compact objects, whose attributes are made
when asked for; exceptions of the extension become the node's own here and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rollup_sequencer_native as native

from execution.evm.native.errors import rejected, translated
from execution.evm.native.inspection import NativeInspection, state_number
from sequencer.core.block import Block, Header, PayloadAttributes, decode_header
from sequencer.core.calls import AccountView, CallRequest, CallResult
from sequencer.core.errors import Fatal, Rejected
from sequencer.core.genesis import Genesis
from sequencer.core.genesis_accounts import GenesisAccounts
from sequencer.core.plain_reads import PlainReads
from sequencer.core.ports import StateAt
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import Address, Hash32


@dataclass(slots=True)
class _OpenBlock:
    """The Python objects of the open block, in order."""

    transactions: list[Transaction] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


class NativeEngine(NativeInspection):
    """``ExecutionEngine`` on revm, with its state under ``folder``.

    With ``background`` it makes way for others: its blocks are executed on one thread of low priority, which has a
    tenth of a processor that others want all of, and more when it is pressed. At most ``readers`` reads
    execute code at once.
    """

    name = "native"

    def __init__(self, folder: Path, *, background: bool = False, readers: int = 1) -> None:
        self._folder = folder
        self._background = background
        self._readers = readers
        self._engine: Any = None
        self._block: _OpenBlock | None = None

    @property
    def forks(self) -> tuple[str, ...]:
        """The forks whose rules are built in."""
        return tuple(native.FORKS)

    def open(self, genesis: Genesis) -> Header:
        missing = [fork.name for fork in genesis.spec.forks if fork.name not in self.forks]
        if missing:
            raise Fatal(f"the native engine does not run the rules of {', '.join(missing)}")
        if self._engine is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            with translated():
                self._engine = native.Engine(self._folder, self._background, self._readers)
        accounts = GenesisAccounts.of(genesis.accounts)
        others = [
            (address, account.balance_wei, account.nonce, account.code, list(account.storage.items()))
            for address, account in accounts.others.items()
        ]
        header = genesis.header(Hash32(self.ask("open_genesis", accounts.addresses, accounts.balances, others)))
        forks = [(fork.name, fork.timestamp) for fork in genesis.spec.forks]
        self.ask("open", genesis.spec.chain_id, forks, genesis.spec.fee_vault, header.encoded)
        self._block = None
        return header

    def height(self) -> int:
        height: int = self.ask("height")
        return height

    def press(self, late: bool) -> None:
        """Say whether an engine in the background is late, and may take a fourth of a processor from others."""
        self.ask("press", late)

    # -------------------------------------------------------------------------- the open block

    def begin(self, attributes: PayloadAttributes) -> None:
        self.ask(
            "begin",
            attributes.number,
            attributes.parent_hash,
            attributes.timestamp,
            attributes.gas_limit,
            attributes.base_fee_per_gas,
            attributes.coinbase,
            attributes.prev_randao,
            attributes.extra_data,
            attributes.parent_beacon_block_root,
        )
        self._block = _OpenBlock()

    def apply(self, transactions: Sequence[Transaction]) -> list[Outcome | Rejected]:
        block = self._open_block()
        answers: list[Any] = self.ask("apply", list(transactions))
        if tuple not in map(type, answers):  # none is refused
            block.transactions += transactions
            block.outcomes += answers
            return answers
        for position, (transaction, answer) in enumerate(zip(transactions, answers, strict=True)):
            if type(answer) is tuple:
                answers[position] = rejected(answer)
            else:
                block.transactions.append(transaction)
                block.outcomes.append(answer)
        return answers

    def mark(self) -> int:
        mark: int = self.ask("mark")
        return mark

    def rewind(self, mark: int) -> None:
        block = self._open_block()
        self.ask("rewind", mark)
        del block.transactions[mark:], block.outcomes[mark:]

    def seal(self) -> Block:
        block = self._open_block()
        header = decode_header(self.ask("seal")[1])
        self._block = None
        return Block(header, tuple(block.transactions), tuple(block.outcomes))

    def cancel(self) -> None:
        self._block = None
        self.ask("cancel")

    def commit(self, number: int) -> None:
        self.ask("commit", number)

    def sync(self) -> None:
        self.ask("sync")

    def unwind(self, to: int) -> None:
        self._block = None
        self.ask("unwind", to)

    # ----------------------------------------------------------------------------------- reads

    def accounts(self, addresses: Sequence[Address], at: StateAt) -> list[AccountView]:
        rows = self.ask("accounts", list(addresses), state_number(at))
        return [AccountView(*row) for row in rows]

    def code(self, address: Address, at: StateAt) -> bytes:
        code: bytes = self.ask("code", address, state_number(at))
        return code

    def storage(self, address: Address, slots: Sequence[Hash32], at: StateAt) -> list[Hash32]:
        values: list[Hash32] = self.ask("storage", address, list(slots), state_number(at))
        return values

    def call(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> CallResult:
        return CallResult(*self.ask("call", request, state_number(at), gas_cap, deadline_s))

    def plain_reads(self, body: bytes, batch_limit: int) -> PlainReads | None:
        reads: PlainReads | None = native.Engine.plain_reads(body, batch_limit)
        return reads

    def answer_plain(self, reads: PlainReads, gas_cap: int, budget_s: float, limit_bytes: int) -> bytes | None:
        answer: bytes | None = self.ask("answer_plain", reads, gas_cap, budget_s, limit_bytes)
        return answer

    def estimate(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> int | CallResult:
        answer: Any = self.ask("estimate", request, state_number(at), gas_cap, deadline_s)
        return answer if isinstance(answer, int) else CallResult(*answer)

    def close(self) -> None:
        if self._engine is not None:
            self.ask("close")

    # --------------------------------------------------------------------------------- helpers

    def ask(self, method: str, *arguments: object) -> Any:
        """What the extension's method of this name answers, its exceptions translated."""
        if self._engine is None:
            raise Fatal("the engine is not open")
        with translated():
            return getattr(self._engine, method)(*arguments)

    def _open_block(self) -> _OpenBlock:
        if self._block is None:
            raise Fatal("no block is open")
        return self._block
