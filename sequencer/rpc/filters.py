"""Installed filters: what ``eth_newFilter`` and its sisters leave behind until they are polled. Pure.

A filter is a cursor, not a queue: block and log filters remember the last block that they reported, and
pending-transaction filters their place in one ring that all share. So a filter costs a few words of memory
however much happens between two polls. A filter that nobody polls for a while goes away.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sequencer.core.block import Block
from sequencer.core.transaction import Transaction
from sequencer.core.views import LogRecord
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.log_query import LogMatch, LogQuery
from sequencer.rpc.render.block import inclusions


@dataclass(slots=True)
class BlockFilter:
    """Reports the hashes of blocks after ``cursor``."""

    cursor: int


@dataclass(slots=True)
class LogFilter:
    """Reports matching logs of blocks after ``cursor``, and those that a reset removed."""

    query: LogQuery
    cursor: int
    removed: list[LogRecord] = field(default_factory=list)


@dataclass(slots=True)
class PendingFilter:
    """Reports transactions that entered the pool after the ``cursor``-th, whole or by hash."""

    cursor: int
    full: bool


Filter = BlockFilter | LogFilter | PendingFilter


class PooledRing:
    """The newest transactions that entered the pool, numbered from 0 on."""

    def __init__(self, capacity: int) -> None:
        self._newest: deque[Transaction] = deque(maxlen=capacity)
        self.count = 0

    def extend(self, transactions: Sequence[Transaction]) -> None:
        """The next transactions; the oldest ones give way when the ring is full."""
        self._newest.extend(transactions)
        self.count += len(transactions)

    def since(self, cursor: int) -> list[Transaction]:
        """Those from number ``cursor`` on that are still there, oldest first."""
        first_kept = self.count - len(self._newest)
        return list(islice(self._newest, max(cursor - first_kept, 0), None))


class FilterRegistry:
    """All filters of one chain, by id. Times are milliseconds of a monotonic clock."""

    def __init__(self, limit: int, timeout_ms: int, pooled_capacity: int) -> None:
        self._limit = limit
        self._timeout_ms = timeout_ms
        self._filters: dict[int, tuple[Filter, int]] = {}
        self.pooled = PooledRing(pooled_capacity)

    def __len__(self) -> int:
        return len(self._filters)

    def install(self, filter_id: int, installed: Filter, now_ms: int) -> None:
        """Add a filter. Raises ``RpcError`` when there are too many live ones."""
        if len(self._filters) >= self._limit:
            self.expire(now_ms)
        if len(self._filters) >= self._limit:
            raise RpcError(Errors.LIMIT_EXCEEDED, f"too many filters: at most {self._limit}")
        self._filters[filter_id] = (installed, now_ms)

    def poll(self, filter_id: int, now_ms: int) -> Filter:
        """The filter, kept alive by being asked for. Raises ``RpcError`` in geth's words when it is gone."""
        found = self._filters.get(filter_id)
        if found is None or now_ms - found[1] > self._timeout_ms:
            self._filters.pop(filter_id, None)
            raise RpcError(Errors.SERVER, "filter not found")
        self._filters[filter_id] = (found[0], now_ms)
        return found[0]

    def uninstall(self, filter_id: int) -> bool:
        """Remove it; false when it was not there."""
        return self._filters.pop(filter_id, None) is not None

    def expire(self, now_ms: int) -> None:
        """Forget filters that were not polled for too long."""
        stale = [key for key, (_, seen_ms) in self._filters.items() if now_ms - seen_ms > self._timeout_ms]
        for key in stale:
            del self._filters[key]

    def undo(self, blocks: tuple[Block, ...], removed_limit: int) -> None:
        """Blocks were undone, newest first: take back what was reported of them."""
        for installed, _ in self._filters.values():
            if isinstance(installed, PendingFilter):
                continue
            for block in blocks:
                number = block.header.number
                if number > installed.cursor:
                    continue
                installed.cursor = number - 1
                if isinstance(installed, LogFilter):
                    room = removed_limit - len(installed.removed)
                    installed.removed.extend(islice(matching_logs(block, installed.query.match), max(room, 0)))


def matching_logs(block: Block, match: LogMatch) -> Iterator[LogRecord]:
    """The wanted logs of a sealed block at their places."""
    header = block.header
    for item in inclusions(header, block.transactions, block.outcomes):
        for offset, log in enumerate(item.outcome.logs):
            if match.matches(log):
                yield LogRecord(
                    log,
                    header.number,
                    header.hash,
                    header.timestamp,
                    item.transaction.hash,
                    item.position,
                    item.first_log_index + offset,
                )
