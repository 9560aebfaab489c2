"""Was the declared policy kept? Replays blocks with their arrival records against it.

The audit repeats what the policy does, one place after another: of all transactions whose turn it was and
that were certainly there, the one with the smallest rank must stand next. A transaction was certainly there
if it arrived (by sequence number) before one that already has its place. So an honest leader is never
accused, however it cut its flashblocks, and one that reorders, inserts ahead or delays is found at the first
place where somebody else stands.

What the records say is the leader's own word. ``receipts`` that it signed for senders are checked against
them. Transactions that were never included leave no record, and no audit of blocks can speak for them.

Always true: one violation a block, its first. Sequence numbers are compared within a term only.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from sequencer.core.block import PayloadAttributes
from sequencer.core.errors import ConfigError
from sequencer.core.ports import OrderingPolicy
from sequencer.core.received import Received
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import ZERO_HASH, Address, Hash32
from sequencer.ordering.ranked import ORIGIN_BUNDLE, Rank, RankedPolicy

LOOKAHEAD_BLOCKS = 16
"""A delayed transaction is found if it was included at most this many blocks later."""


class Rule(StrEnum):
    """What was broken. The value is what ``sequencer audit`` prints."""

    POLICY = "policy"
    """The block declares another policy."""
    ORDER = "order"
    """It stands where a transaction with a smaller rank, which was there, should stand."""
    EARLY = "early"
    """It was placed before it was due."""
    INELIGIBLE = "ineligible"
    """The policy does not let it into this block at all."""
    BUNDLE = "bundle"
    """A bundle under a policy that takes none."""
    RECORD = "record"
    """Its arrival record is not what the leader signed for the sender, or is another transaction's too."""


@dataclass(frozen=True, slots=True)
class Violation:
    """The first transaction of a block that stands where it must not."""

    block: int
    position: int
    rule: Rule
    transaction_hash: Hash32


@dataclass(frozen=True, slots=True)
class AuditedFlashblock:
    """Transactions in order, each with its arrival record. The time is unix milliseconds."""

    timestamp_ms: int
    taken: tuple[PooledTransaction, ...]


@dataclass(frozen=True, slots=True)
class AuditedBlock:
    """A block as far as its order goes."""

    attributes: PayloadAttributes
    flashblocks: tuple[AuditedFlashblock, ...]


def audit(
    policy: OrderingPolicy,
    blocks: Iterable[AuditedBlock],
    first: int,
    last: int,
    receipts: Mapping[Hash32, Received] | None = None,
) -> Iterator[tuple[int, Violation | None]]:
    """Each block from ``first`` to ``last`` with its first violation, if any.

    ``blocks`` are consecutive and begin at ``history_start(policy, first)`` or block 1; up to
    ``LOOKAHEAD_BLOCKS`` after ``last`` are looked at too. Raises ``ConfigError`` if the policy has no rank.
    """
    if not isinstance(policy, RankedPolicy):
        raise ConfigError("ordering.policy", type(policy).__name__, "cannot be audited: it has no rank")
    replay = _Replay(policy, receipts or {})
    waiting: deque[AuditedBlock] = deque()
    for block in blocks:
        replay.foresee(block)
        waiting.append(block)
        if len(waiting) > LOOKAHEAD_BLOCKS:
            yield from _within(first, last, replay.check(waiting.popleft()))
        if block.attributes.number >= last + LOOKAHEAD_BLOCKS:
            break
    for block in waiting:
        yield from _within(first, last, replay.check(block))


def history_start(policy: OrderingPolicy, first: int) -> int:
    """The block from which on ``audit`` must be told, to judge from block ``first`` on."""
    depth = policy.history_blocks if isinstance(policy, RankedPolicy) else 0
    return max(1, first - max(depth, LOOKAHEAD_BLOCKS))


def _within(first: int, last: int, checked: tuple[int, Violation | None]) -> Iterator[tuple[int, Violation | None]]:
    if first <= checked[0] <= last:
        yield checked


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is placed in one piece: a transaction, or a bundle's transactions."""

    members: tuple[PooledTransaction, ...]

    @property
    def sequence(self) -> int:
        return self.members[0].arrival.sequence

    @property
    def is_bundle(self) -> bool:
        return self.members[0].arrival.origin == ORIGIN_BUNDLE


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """A transaction, and the term in which its arrival was counted."""

    pooled: PooledTransaction
    term: int


class _Replay:
    """The policy at work on what was recorded.

    ``turns`` holds each sender's transactions in the order of the chain. The first of each is a candidate:
    in ``absent`` by arrival until it was certainly there, then in ``present`` by rank, or in ``barred`` while
    it may not stand in the open block. Candidates that have had their turn are skipped when met.
    """

    def __init__(self, policy: RankedPolicy, receipts: Mapping[Hash32, Received]) -> None:
        self._policy = policy
        self._receipts = receipts
        self._turns: dict[Address, deque[_Turn]] = {}
        self._absent: list[tuple[int, int, _Turn]] = []
        self._present: list[tuple[Rank, int, _Turn]] = []
        self._barred: list[_Turn] = []
        self._recorded: dict[int, _Unit] = {}
        self._counter = 0
        self._newest = -1
        self._term = -1
        self._base_fee_wei = 0

    def foresee(self, block: AuditedBlock) -> None:
        """Take in a block that will be checked later."""
        for flashblock in block.flashblocks:
            for pooled in flashblock.taken:
                turns = self._turns.setdefault(pooled.transaction.sender, deque())
                turns.append(_Turn(pooled, block.attributes.term))
                if len(turns) == 1:
                    self._await(turns[0])

    def check(self, block: AuditedBlock) -> tuple[int, Violation | None]:
        """The block's number and the first violation in it. Blocks come in the order of ``foresee``."""
        attributes = block.attributes
        self._open(attributes)
        first: Violation | None = None
        if attributes.extra_data != self._policy.policy_id:
            first = Violation(attributes.number, 0, Rule.POLICY, ZERO_HASH)
        position = 0
        for flashblock in block.flashblocks:
            for unit in _units(flashblock.taken):
                broken = self._place(unit, flashblock.timestamp_ms)
                if broken and first is None:
                    first = Violation(attributes.number, position, broken, unit.members[0].transaction.hash)
                position += len(unit.members)
        return attributes.number, first

    def _open(self, attributes: PayloadAttributes) -> None:
        """A block begins: its fees and its term decide anew who may stand in it."""
        candidates = [*self._barred, *(turn for _, _, turn in self._present)]
        self._barred, self._present = [], []
        if attributes.term != self._term:
            self._term, self._newest = attributes.term, -1
            self._recorded.clear()
            for turn in candidates:
                self._await(turn)
            candidates = []
        self._base_fee_wei = attributes.base_fee_per_gas
        self._policy.opened(attributes.number)
        for turn in candidates:
            self._admit(turn)

    def _place(self, unit: _Unit, timestamp_ms: int) -> Rule | None:
        """Place a unit, and say what is wrong about it."""
        self._newest = max(self._newest, unit.sequence)
        while self._absent and self._absent[0][0] <= self._newest:
            self._admit(heapq.heappop(self._absent)[2])
        broken = self._judge_records(unit) or self._judge(unit, timestamp_ms)
        for pooled in unit.members:
            turns = self._turns[pooled.transaction.sender]
            turns.popleft()
            self._policy.placed(pooled)
            if turns:
                self._await(turns[0])
            else:
                del self._turns[pooled.transaction.sender]
        return broken

    def _judge_records(self, unit: _Unit) -> Rule | None:
        if self._recorded.setdefault(unit.sequence, unit) is not unit:
            return Rule.RECORD
        for pooled in unit.members:
            receipt = self._receipts.get(pooled.transaction.hash)
            recorded = (pooled.arrival.sequence, pooled.arrival.received_ms)
            if receipt is not None and (receipt.sequence, receipt.received_ms) != recorded:
                return Rule.RECORD
        return None

    def _judge(self, unit: _Unit, timestamp_ms: int) -> Rule | None:
        if unit.is_bundle and not self._policy.takes_bundles:
            return Rule.BUNDLE
        ahead: dict[Address, int] = {}
        worst: Rank = ()
        for pooled in unit.members:
            sender = pooled.transaction.sender
            rank = self._rank(pooled, ahead.get(sender, 0))
            if rank is None:
                return Rule.INELIGIBLE
            if self._policy.due_ms(pooled) > timestamp_ms:
                return Rule.EARLY
            ahead[sender] = ahead.get(sender, 0) + 1
            worst = max(worst, rank)
        best = self._best()
        return Rule.ORDER if best is not None and best < worst else None

    def _best(self) -> Rank | None:
        """The smallest rank of the present. Ranks that grew since they were noted are noted anew."""
        while self._present:
            noted, _, turn = self._present[0]
            if self._waits(turn) and self._rank(turn.pooled) == noted:
                return noted
            heapq.heappop(self._present)
            self._admit(turn)
        return None

    def _await(self, turn: _Turn) -> None:
        """A sender's next transaction is a candidate, unless it is part of a bundle: that may not fit in."""
        arrival = turn.pooled.arrival
        if arrival.origin != ORIGIN_BUNDLE:
            self._counter += 1
            heapq.heappush(self._absent, (arrival.sequence, self._counter, turn))

    def _admit(self, turn: _Turn) -> None:
        """The candidate was certainly there, if its number is of this term."""
        if not self._waits(turn):
            return
        rank = self._rank(turn.pooled) if turn.term == self._term else None
        if rank is None:
            self._barred.append(turn)
        else:
            self._counter += 1
            heapq.heappush(self._present, (rank, self._counter, turn))

    def _waits(self, turn: _Turn) -> bool:
        turns = self._turns.get(turn.pooled.transaction.sender)
        return turns is not None and turns[0] is turn

    def _rank(self, pooled: PooledTransaction, ahead: int = 0) -> Rank | None:
        if pooled.transaction.max_fee_per_gas < self._base_fee_wei:
            return None
        return self._policy.rank(pooled, self._base_fee_wei, ahead)


def _units(taken: tuple[PooledTransaction, ...]) -> Iterator[_Unit]:
    """Transactions one by one; neighbours of a bundle share their sequence number and go together."""
    for _, run in groupby(taken, key=lambda pooled: (pooled.arrival.origin == ORIGIN_BUNDLE, pooled.arrival.sequence)):
        members = tuple(run)
        if members[0].arrival.origin == ORIGIN_BUNDLE:
            yield _Unit(members)
        else:
            yield from (_Unit((pooled,)) for pooled in members)
