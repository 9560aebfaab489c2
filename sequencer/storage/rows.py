"""The rows of a block, made so that one transaction can be read without decoding the others.

::

    packed     = count u32 || end u32 ... || part || part ...        ends count from the first part
    body       = packed(hash(32) || sender(20) || raw transaction)
    receipts   = packed(gas used u64 || first log index u32 || flags u8 || contract(20) || consensus receipt)
    flashblocks = (epoch u64, term u64, reset u32, block number u64, index u32, first position u32,
                  transaction count u32, parent(32), order root(32), outcomes root(32), ordering policy(32),
                  timestamp u64 in ms, post by u64 in s, signer(20), signature(65)) ...    269 bytes each

``flags`` are 1, where ``contract`` was created and counts, and 2, where the receipt has no logs: the 256 zeros of
its bloom, which stand before its last byte, are left out, because most receipts are little else. Stored
transactions and outcomes decode themselves when asked for more than what lies in the row as it is.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Final

from sequencer.core.block import Block, Header
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.keccak import keccak256
from sequencer.core.receipt import Log, Outcome
from sequencer.core.transaction import AccessListEntry, Authorization, DecodedTransaction, Transaction, decode
from sequencer.core.types import ZERO_ADDRESS, Address, Hash32, Signature
from sequencer.storage.payment import Payment, payment_of
from sequencer.storage.receipt_logs import logs_of, summary_of

_RECEIPT: Final = struct.Struct(">QIB20s")
_SIGNED: Final = struct.Struct(">QQIQIII32s32s32s32sQQ20s65s")
_FLASHBLOCK: Final = attrgetter(*(spec.name for spec in fields(Flashblock)))
_HASHES_END: Final = 52
_CREATED: Final = 1
_NO_BLOOM: Final = 2
_BLOOM: Final = bytes(256)


class Packed:
    """A row of parts that can be taken out one by one."""

    __slots__ = ("_ends", "_start", "data")

    def __init__(self, data: bytes) -> None:
        count = int.from_bytes(data[:4], "big")
        self.data = data
        self._ends: tuple[int, ...] = struct.unpack_from(f">{count}I", data, 4)
        self._start = 4 + 4 * count

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> bytes:
        if not 0 <= index < len(self._ends):
            raise IndexError(index)
        begin = self._ends[index - 1] if index else 0
        return self.data[self._start + begin : self._start + self._ends[index]]


def pack(parts: Iterable[bytes]) -> bytes:
    """The row that holds ``parts``."""
    kept = list(parts)
    ends, at = [], 0
    for part in kept:
        at += len(part)
        ends.append(at)
    return b"".join((struct.pack(f">I{len(ends)}I", len(ends), *ends), *kept))


class StoredTransaction:
    """A transaction from the store. Hash, sender and bytes are at hand; the rest is decoded when first asked for."""

    __slots__ = ("_fields", "_paid", "hash", "raw", "sender")

    def __init__(self, part: bytes) -> None:
        self.hash = Hash32(part[:32])
        self.sender = Address(part[32:_HASHES_END])
        self.raw = part[_HASHES_END:]
        self._fields: DecodedTransaction | None = None
        self._paid: Payment | None = None

    @property
    def _decoded(self) -> DecodedTransaction:
        if self._fields is None:
            self._fields = decode(self.raw)
        return self._fields

    @property
    def _payment(self) -> Payment:
        if self._paid is None:
            self._paid = payment_of(self.raw)
        return self._paid

    @property
    def type(self) -> int:
        return self.raw[0] if self.raw[0] < 0xC0 else 0

    @property
    def chain_id(self) -> int | None:
        return self._decoded.chain_id

    @property
    def nonce(self) -> int:
        return self._decoded.nonce

    @property
    def max_priority_fee_per_gas(self) -> int:
        return self._payment.max_priority_fee_per_gas

    @property
    def max_fee_per_gas(self) -> int:
        return self._payment.max_fee_per_gas

    @property
    def gas_limit(self) -> int:
        return self._decoded.gas_limit

    @property
    def to(self) -> Address | None:
        return self._payment.to

    @property
    def value(self) -> int:
        return self._decoded.value

    @property
    def data(self) -> bytes:
        return self._decoded.data

    @property
    def access_list(self) -> tuple[AccessListEntry, ...]:
        return self._decoded.access_list

    @property
    def authorizations(self) -> tuple[Authorization, ...]:
        return self._decoded.authorizations

    @property
    def blob_hashes(self) -> tuple[Hash32, ...]:
        return self._decoded.blob_hashes

    @property
    def max_fee_per_blob_gas(self) -> int:
        return self._decoded.max_fee_per_blob_gas

    @property
    def y_parity(self) -> int:
        return self._decoded.y_parity

    @property
    def r(self) -> int:
        return self._decoded.r

    @property
    def s(self) -> int:
        return self._decoded.s


class StoredOutcome:
    """An outcome from the store, of which the receipt is decoded when first asked for."""

    __slots__ = ("_fields", "_logs", "contract_address", "first_log_index", "gas_used", "receipt")

    def __init__(self, part: bytes) -> None:
        gas_used, first_log_index, flags, contract = _RECEIPT.unpack_from(part)
        self.gas_used: int = gas_used
        self.first_log_index: int = first_log_index
        self.contract_address = Address(contract) if flags & _CREATED else None
        self.receipt = part[_RECEIPT.size :] if not flags & _NO_BLOOM else _with_bloom(part[_RECEIPT.size :])
        self._fields: tuple[bool, int, bytes] | None = None
        self._logs: tuple[Log, ...] | None = None

    @property
    def _summary(self) -> tuple[bool, int, bytes]:
        if self._fields is None:
            self._fields = summary_of(self.receipt)
        return self._fields

    @property
    def succeeded(self) -> bool:
        return self._summary[0]

    @property
    def cumulative_gas_used(self) -> int:
        return self._summary[1]

    @property
    def logs_bloom(self) -> bytes:
        return self._summary[2]

    @property
    def logs(self) -> tuple[Log, ...]:
        if self._logs is None:
            self._logs = logs_of(self.receipt)
        return self._logs

    @property
    def outcome_hash(self) -> Hash32:
        return keccak256(self.receipt)


class StoredBlock:
    """A block as its rows."""

    def __init__(self, header: Header, body: Packed, receipts: Packed) -> None:
        self.header = header
        self._body = body
        self._receipts = receipts

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, nearly."""
        return len(self._body.data) + len(self._receipts.data) + 16 * len(self._body) + 2048

    def __len__(self) -> int:
        return len(self._body)

    def transaction_hash(self, position: int) -> Hash32:
        """The hash of one transaction, without making the rest of it."""
        return Hash32(self._body[position][:32])

    def transaction(self, position: int) -> StoredTransaction:
        """One transaction."""
        return StoredTransaction(self._body[position])

    def outcome(self, position: int) -> StoredOutcome:
        """What it did."""
        return StoredOutcome(self._receipts[position])

    def block(self) -> Block:
        """All of it; parts decode themselves as they are used."""
        positions = range(len(self))
        return Block(self.header, tuple(map(self.transaction, positions)), tuple(map(self.outcome, positions)))


def body_row(transactions: Sequence[Transaction]) -> bytes:
    """The body row of a block."""
    return pack([transaction.hash + transaction.sender + transaction.raw for transaction in transactions])


def receipts_row(outcomes: Sequence[Outcome]) -> bytes:
    """The receipts row of a block."""
    parts, first_log_index = [], 0
    for outcome in outcomes:
        contract, receipt, logs = outcome.contract_address, outcome.receipt, len(outcome.logs)
        flags = (_CREATED if contract is not None else 0) | (_NO_BLOOM if not logs else 0)
        head = _RECEIPT.pack(outcome.gas_used, first_log_index, flags, contract or ZERO_ADDRESS)
        parts.append(head + (receipt if logs else _without_bloom(receipt)))
        first_log_index += logs
    return pack(parts)


def _without_bloom(receipt: bytes) -> bytes:
    """Of a receipt without logs, whose last byte is their empty list."""
    return receipt[: -1 - len(_BLOOM)] + receipt[-1:]


def _with_bloom(stored: bytes) -> bytes:
    return stored[:-1] + _BLOOM + stored[-1:]


def flashblocks_row(flashblocks: Sequence[SignedFlashblock]) -> bytes:
    """The row of a block's signed flashblocks."""
    return b"".join([_SIGNED.pack(*_FLASHBLOCK(f.flashblock), f.signer, f.signature) for f in flashblocks])


def decode_flashblocks(row: bytes) -> tuple[SignedFlashblock, ...]:
    """The signed flashblocks of a row."""
    return tuple(
        SignedFlashblock(Flashblock(*fields[:-2]), Address(fields[-2]), Signature(fields[-1]))
        for fields in _SIGNED.iter_unpack(row)
    )
