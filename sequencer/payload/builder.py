"""The open block, decided step by step: what went in, and the flashblocks that were cut from it.

Pure: the service around it brings the time, the engine's outcomes and the pool's transactions. Always
holds: flashblocks cover the block's positions without gap or overlap, each one's ``parent`` is the hash of
the one before it across blocks, and time never runs backwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sequencer.core.block import Header, PayloadAttributes
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.entries import ArrivalRecord, FlashblockEntry
from sequencer.core.flashblock import Flashblock
from sequencer.core.flashblock_codec import PythonFlashblockCodec
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.core.ports import Budget, FlashblockCodec
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import PooledTransaction, Transaction
from sequencer.core.types import Address, Hash32
from sequencer.payload.bundling import Room
from sequencer.payload.config import PayloadConfig

TRANSACTION_GAS = 21_000
"""No transaction uses less: a block with less room is full."""
INLINE_TRANSACTIONS = 16
"""So many transfers take some 80 microseconds, and so does a thread to be woken and to answer."""


@dataclass(frozen=True, slots=True)
class Term:
    """Under which leadership blocks are built, and whom their tips go to."""

    epoch: int
    term: int
    reset: int
    coinbase: Address


def open_attributes(spec: ChainSpec, term: Term, parent: Header, now_ms: int) -> PayloadAttributes:
    """The inputs of the block after ``parent`` (protocol, section 4). Its time never decreases."""
    number = parent.number + 1
    base_fee = parent.base_fee_per_gas
    if parent.number:
        base_fee = spec.fees.next_base_fee(base_fee, parent.gas_used, parent.gas_limit)
    return PayloadAttributes(
        number=number,
        parent_hash=parent.hash,
        timestamp=max(now_ms // 1000, parent.timestamp),
        gas_limit=spec.gas_limit,
        base_fee_per_gas=base_fee,
        coinbase=term.coinbase,
        prev_randao=spec.prev_randao(number),
        extra_data=spec.ordering.policy_id,
        epoch=term.epoch,
        term=term.term,
        reset=term.reset,
    )


def runs_at_once(transactions: Sequence[Transaction], inline_gas: int) -> bool:
    """Executing these takes less than handing them to a thread and back would: few, and with little gas for code.

    A transfer has none, so a run of transfers is as good as a short call.
    """
    if len(transactions) > INLINE_TRANSACTIONS:
        return False
    return sum(transaction.gas_limit - TRANSACTION_GAS for transaction in transactions) <= inline_gas


@dataclass(slots=True)
class BlockDraft:
    """The open block. ``parent`` is the struct hash of the last flashblock, of this block or an earlier one."""

    attributes: PayloadAttributes
    config: PayloadConfig
    promise_window_s: int
    parent: Hash32
    last_timestamp_ms: int = 0
    gas_percent: int = 100
    """Of the block's gas limit that may be used: less while too much waits to be public, 0 for an empty block."""
    codec: FlashblockCodec = field(default_factory=PythonFlashblockCodec)
    index: int = 0
    position: int = 0
    gas_used: int = 0
    size_bytes: int = 0
    """Raw transactions of the block, those included that wait for their flashblock to close."""
    _taken: list[PooledTransaction] = field(default_factory=list)
    _raws: list[bytes] = field(default_factory=list)
    _outcomes: list[Outcome] = field(default_factory=list)
    _size_bytes: int = 0
    _opened_ms: int = 0

    @property
    def empty(self) -> bool:
        """Nothing waits for its flashblock to close."""
        return not self._taken

    def budget(self, chunk: int) -> Budget:
        """What the policy may pick now, at most ``chunk`` transactions."""
        config, waiting = self.config, len(self._taken)
        return Budget(
            gas=max(0, self.gas_left),
            size_bytes=min(
                config.flashblock_max_size_bytes - self._size_bytes, config.block_max_size_bytes - self.size_bytes
            ),
            count=min(
                chunk,
                config.flashblock_max_transactions - waiting,
                config.block_max_transactions - self.position - waiting,
            ),
        )

    @property
    def gas_left(self) -> int:
        """Below zero if the last transaction used what it might."""
        return self.attributes.gas_limit * self.gas_percent // 100 - self.gas_used

    @property
    def block_full(self) -> bool:
        """No further transaction can fit into this block."""
        return (
            self.gas_left < TRANSACTION_GAS
            or self.position + len(self._taken) >= self.config.block_max_transactions
            or self.index >= self.config.block_max_flashblocks - 1
        )

    def room_for_bundle(self, members: Sequence[PooledTransaction]) -> Room:
        """Where a bundle fits, of which no part may stand in another flashblock than the rest."""
        config = self.config
        size_bytes = sum(len(pooled.transaction.raw) for pooled in members)
        gas = sum(pooled.transaction.gas_limit for pooled in members)
        if (
            gas > self.gas_left
            or size_bytes > config.flashblock_max_size_bytes
            or len(members) > config.flashblock_max_transactions
        ):
            return Room.NOWHERE
        if (
            self._size_bytes + size_bytes > config.flashblock_max_size_bytes
            or len(self._taken) + len(members) > config.flashblock_max_transactions
        ):
            return Room.NEXT_FLASHBLOCK
        return Room.HERE

    def add(self, taken: Sequence[PooledTransaction], outcomes: Sequence[Outcome], now_ms: int) -> None:
        """Transactions that were executed on top of everything before, in order."""
        if not self._taken:
            self._opened_ms = now_ms
        raws = [transaction.raw for transaction, _ in taken]
        self._taken.extend(taken)
        self._raws.extend(raws)
        self._outcomes.extend(outcomes)
        size_bytes = sum(map(len, raws))
        self._size_bytes += size_bytes
        self.size_bytes += size_bytes
        if outcomes:
            self.gas_used = outcomes[-1].cumulative_gas_used

    def close_due(self, now_ms: int) -> bool:
        """The open flashblock has reached one of its bounds and must not grow."""
        return bool(self._taken) and (
            now_ms - self._opened_ms >= self.config.flashblock_interval_ms
            or len(self._taken) >= self.config.flashblock_max_transactions
            or self._size_bytes >= self.config.flashblock_max_size_bytes
        )

    def close(self, now_ms: int) -> ClosedFlashblock:
        """Cut a flashblock from everything added since the last one."""
        timestamp_ms = max(now_ms, self.last_timestamp_ms)
        taken, raws, outcomes = tuple(self._taken), tuple(self._raws), tuple(self._outcomes)
        hashes = [transaction.hash for transaction, _ in taken]
        outcome_hashes = tuple([outcome.outcome_hash for outcome in outcomes])
        order_root, outcomes_root = self.codec.roots(self.position, hashes, outcome_hashes)
        flashblock = Flashblock(
            epoch=self.attributes.epoch,
            term=self.attributes.term,
            reset=self.attributes.reset,
            block_number=self.attributes.number,
            index=self.index,
            first_position=self.position,
            transaction_count=len(taken),
            parent=self.parent,
            order_root=order_root,
            outcomes_root=outcomes_root,
            ordering_policy=self.attributes.extra_data,
            timestamp_ms=timestamp_ms,
            post_by=timestamp_ms // 1000 + self.promise_window_s,
        )
        self.parent = flashblock.struct_hash
        self.last_timestamp_ms = timestamp_ms
        self.index += 1
        self.position += len(taken)
        self._taken, self._raws, self._outcomes, self._size_bytes = [], [], [], 0
        arrivals = tuple(
            [
                ArrivalRecord(sequence, max(0, timestamp_ms - received_ms), origin)
                for _, (sequence, received_ms, origin) in taken
            ]
        )
        return ClosedFlashblock(FlashblockEntry(flashblock, raws, outcome_hashes, arrivals), taken, outcomes)
