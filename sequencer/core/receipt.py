"""What a transaction did: logs, receipt, and the outcome hash that a pre-confirmation promises.

::

    receipt = type || rlp([status, cumulativeGasUsed, logsBloom, [[address, [topic], data]]])
              without the type byte for type 0 (EIP-2718, EIP-658)
    outcomeHash = keccak256(receipt)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sequencer.core import bloom, rlp
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32


@dataclass(frozen=True, slots=True)
class Log:
    """One event of a contract; at most four topics."""

    address: Address
    topics: tuple[Hash32, ...]
    data: bytes


class Outcome(Protocol):
    """The result of an executed transaction, successful or failed. Gas in gas.

    A protocol for the same reason as ``Transaction``: engines hand out compact objects of their own.
    ``receipt`` is the consensus encoding above, ``outcome_hash`` its Keccak-256.
    """

    @property
    def succeeded(self) -> bool: ...
    @property
    def gas_used(self) -> int: ...
    @property
    def cumulative_gas_used(self) -> int: ...
    @property
    def contract_address(self) -> Address | None: ...
    @property
    def logs(self) -> tuple[Log, ...]: ...
    @property
    def logs_bloom(self) -> bytes: ...
    @property
    def receipt(self) -> bytes: ...
    @property
    def outcome_hash(self) -> Hash32: ...


@dataclass(frozen=True, slots=True)
class ExecutedOutcome:
    """An outcome with all of its parts made."""

    succeeded: bool
    gas_used: int
    cumulative_gas_used: int
    contract_address: Address | None
    logs: tuple[Log, ...]
    logs_bloom: bytes
    receipt: bytes
    outcome_hash: Hash32


def outcome(
    transaction_type: int,
    succeeded: bool,
    gas_used: int,
    cumulative_gas_used: int,
    contract_address: Address | None,
    logs: tuple[Log, ...],
) -> ExecutedOutcome:
    """The outcome with its bloom, receipt bytes and hash computed."""
    logs_bloom = bloom.bloom_of(_bloom_entries(logs)) if logs else bloom.EMPTY
    body = rlp.encode_list(
        [
            b"\x01" if succeeded else b"\x80",
            rlp.encode_bytes(rlp.uint(cumulative_gas_used)),
            rlp.encode_bytes(logs_bloom),
            rlp.encode([[log.address, log.topics, log.data] for log in logs]),
        ]
    )
    receipt = bytes((transaction_type,)) + body if transaction_type else body
    return ExecutedOutcome(
        succeeded, gas_used, cumulative_gas_used, contract_address, logs, logs_bloom, receipt, keccak256(receipt)
    )


def _bloom_entries(logs: tuple[Log, ...]) -> Iterator[bytes]:
    for log in logs:
        yield log.address
        yield from log.topics
