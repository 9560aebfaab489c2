"""Types of the extension. What the values mean is said by the ports in ``sequencer.core``."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Final, Protocol

from sequencer.core.receipt import Log
from sequencer.core.transaction import AccessListEntry, Authorization
from sequencer.core.types import Address, Hash32

__version__: Final[str]
FORKS: Final[list[str]]
EIGHT_AT_ONCE: Final[bool]

class Refused(Exception): ...
class Temporary(Exception): ...
class Fatal(Exception): ...
class DeadlineExceeded(Exception): ...

class Transaction:
    raw: Final[bytes]
    hash: Final[Hash32]
    signing_hash: Final[Hash32]
    sender: Final[Address]
    type: Final[int]
    chain_id: Final[int | None]
    nonce: Final[int]
    max_priority_fee_per_gas: Final[int]
    max_fee_per_gas: Final[int]
    gas_limit: Final[int]
    to: Final[Address | None]
    value: Final[int]
    data: Final[bytes]
    access_list: Final[tuple[AccessListEntry, ...]]
    authorizations: Final[tuple[Authorization, ...]]
    blob_hashes: Final[tuple[Hash32, ...]]
    max_fee_per_blob_gas: Final[int]
    y_parity: Final[int]
    r: Final[int]
    s: Final[int]

class Outcome:
    succeeded: Final[bool]
    gas_used: Final[int]
    cumulative_gas_used: Final[int]
    contract_address: Final[Address | None]
    logs: Final[tuple[Log, ...]]
    logs_bloom: Final[bytes]
    receipt: Final[bytes]
    outcome_hash: Final[Hash32]

class _Signed(Protocol):
    @property
    def raw(self) -> bytes: ...
    @property
    def sender(self) -> bytes: ...

_Refusal = tuple[str, str]
_Account = tuple[bytes, int, int, bytes, Sequence[tuple[bytes, bytes]]]
_CallResult = tuple[bytes, int, bool, str, tuple[Log, ...]]

class PlainReads:
    method: Final[str]
    def __len__(self) -> int: ...

class Engine:
    def __new__(cls, path: str | PathLike[str], background: bool = False) -> Engine: ...
    def open_genesis(self, accounts: Sequence[_Account]) -> bytes: ...
    def open(
        self, chain_id: int, forks: Sequence[tuple[str, int]], fee_vault: bytes, header: bytes
    ) -> None: ...
    def height(self) -> int: ...
    def begin(
        self,
        number: int,
        parent_hash: bytes,
        timestamp: int,
        gas_limit: int,
        base_fee: int,
        coinbase: bytes,
        prev_randao: bytes,
        extra_data: bytes,
        parent_beacon_block_root: bytes,
    ) -> None: ...
    def apply(self, transactions: list[Any]) -> list[Outcome | _Refusal]: ...
    def mark(self) -> int: ...
    def rewind(self, mark: int) -> None: ...
    def seal(self) -> tuple[bytes, bytes]: ...
    def cancel(self) -> None: ...
    def commit(self, number: int) -> None: ...
    def sync(self) -> None: ...
    def unwind(self, to: int) -> None: ...
    def accounts(self, addresses: Sequence[bytes], number: int | None) -> list[tuple[int, int, Hash32, bool]]: ...
    def code(self, owner: bytes, number: int | None) -> bytes: ...
    def storage(self, owner: bytes, slots: Sequence[bytes], number: int | None) -> list[Hash32]: ...
    def call(self, request: object, number: int | None, gas_cap: int, deadline_s: float) -> _CallResult: ...
    @staticmethod
    def plain_reads(body: bytes, batch_limit: int) -> PlainReads | None: ...
    def answer_plain(self, reads: PlainReads, gas_cap: int, budget_s: float, limit: int) -> bytes | None: ...
    def estimate(self, request: object, number: int | None, gas_cap: int, deadline_s: float) -> int | _CallResult: ...
    def proof(
        self, owner: bytes, slots: Sequence[bytes], number: int | None
    ) -> tuple[tuple[int, int, bytes, bytes], list[bytes], list[tuple[int, list[bytes]]]]: ...
    def create_access_list(
        self, request: object, number: int | None, gas_cap: int, deadline_s: float
    ) -> tuple[list[tuple[Address, list[Hash32]]], _CallResult]: ...
    def simulate(
        self, request: object, number: int | None, gas_cap: int, deadline_s: float
    ) -> list[tuple[bytes, list[tuple[bytes, int, tuple[int, ...], _CallResult]]]]: ...
    def trace_call(
        self, request: object, number: int | None, gas_cap: int, deadline_s: float, options: str
    ) -> str: ...
    def trace_block(
        self, number: int, transactions: list[Any], first: int, stop: int, deadline_s: float, options: str
    ) -> list[str]: ...
    def close(self) -> None: ...

class Sends:
    caller: Final[bytes]
    path: Final[str]
    host: Final[str | None]
    origin: Final[str | None]
    forwarded_for: Final[str]
    end: Final[int]
    raws: Final[list[bytes]]
    hashes: Final[list[Hash32]]
    def __len__(self) -> int: ...
    def answer(self, cors: bytes, errors: Sequence[tuple[int, bytes]]) -> bytes: ...

class SendReader:
    def __new__(cls, body_limit: int, batch_limit: int, gzip_threshold: int, answer_limit: int) -> SendReader: ...
    def read(self, requests: Sequence[bytes]) -> list[Sends | None]: ...

def flashblock_roots(
    first_position: int, transactions: Sequence[bytes], outcomes: Sequence[bytes]
) -> tuple[Hash32, Hash32]: ...
def flashblock_tree(first_position: int, given: Sequence[bytes]) -> list[list[Hash32]]: ...
def flashblock_entry(
    fields: bytes, transactions: Sequence[bytes], outcomes: Sequence[bytes], arrivals: Sequence[tuple[int, int, int]]
) -> bytes: ...
def recover(
    raws: list[bytes],
    chain_id: int,
    fork: str,
    gas_limit: int,
    minimum_fee: int,
    minimum_tip: int,
    size_limit: int,
) -> list[Transaction | _Refusal]: ...
def decode(raw: bytes) -> Transaction: ...
def encode_transactions(raws: list[bytes]) -> bytes: ...
def decode_transactions(
    section: bytes, count: int, max_transaction_bytes: int, max_data_bytes: int
) -> list[bytes]: ...
def run_state_test(
    fork: str, block: object, accounts: Sequence[_Account], transaction: _Signed
) -> tuple[Hash32, tuple[Log, ...], _Refusal | None]: ...
