"""``eth_getLogs`` and the filters that are polled."""

import asyncio
from functools import partial
from typing import Final

import orjson

from sequencer.core.encoding import data, parse_quantity, quantity
from sequencer.core.views import LogRecord
from sequencer.rpc.block_id import Tag, sealed_number
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.filters import BlockFilter, Filter, LogFilter, PendingFilter
from sequencer.rpc.log_query import LogQuery, log_query
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, boolean, optional
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.log import log_record
from sequencer.rpc.render.transaction import pooled_transaction
from sequencer.rpc.render.turns import in_turns

_IN_ONE_TURN: Final = 100
"""Logs rendered before others get their turn: about a millisecond."""


async def logs(chain: ServedChain, query: LogQuery) -> list[orjson.Fragment]:
    """The logs of sealed blocks that match. Raises ``RpcError`` naming a smaller range when there are too many."""
    query.check()
    first, last = _range(chain, query)
    records = await _search(chain, query, first, last)
    limit = chain.config.log_result_limit
    if len(records) > limit:
        fits = max(first, records[limit].block_number - 1)
        raise RpcError(Errors.LIMIT_EXCEEDED, f"query exceeds max results {limit}, retry with the range {first}-{fits}")
    return await in_turns(records, log_record, _IN_ONE_TURN)


def new_filter(chain: ServedChain, query: LogQuery) -> str:
    """A filter over logs of blocks from now on."""
    query.check()
    cursor = chain.backend.heads.unsafe.number
    if type(query.from_block) is int:
        cursor = max(cursor, query.from_block - 1)
    return _install(chain, LogFilter(query, cursor))


def new_block_filter(chain: ServedChain) -> str:
    """A filter over blocks from now on."""
    return _install(chain, BlockFilter(chain.backend.heads.unsafe.number))


def new_pending_transaction_filter(chain: ServedChain, full: bool) -> str:
    """A filter over transactions that enter the pool from now on."""
    return _install(chain, PendingFilter(chain.filters.pooled.count, full))


def uninstall_filter(chain: ServedChain, filter_id: int) -> bool:
    """Whether there was such a filter."""
    return chain.filters.uninstall(filter_id)


async def filter_changes(chain: ServedChain, filter_id: int) -> list[str] | list[Json] | list[orjson.Fragment]:
    """What happened since the last poll."""
    found = chain.filters.poll(filter_id, chain.now_ms())
    match found:
        case BlockFilter():
            return _new_blocks(chain, found)
        case PendingFilter():
            return _new_transactions(chain, found)
        case LogFilter():
            return await _new_logs(chain, found)


async def filter_logs(chain: ServedChain, filter_id: int) -> list[orjson.Fragment]:
    """Everything that a log filter matches, as ``eth_getLogs`` would find it."""
    found = chain.filters.poll(filter_id, chain.now_ms())
    if not isinstance(found, LogFilter):
        raise RpcError(Errors.SERVER, "filter not found")
    return await logs(chain, found.query)


def _install(chain: ServedChain, installed: Filter) -> str:
    filter_id = chain.new_id()
    chain.filters.install(filter_id, installed, chain.now_ms())
    return quantity(filter_id)


def _range(chain: ServedChain, query: LogQuery) -> tuple[int, int]:
    """First and last block to search; the last is before the first where there is nothing to search."""
    backend = chain.backend
    if query.block_hash is not None:
        number = backend.block_number(query.block_hash)
        if number is None:
            raise RpcError(Errors.SERVER, "unknown block")
        return number, number
    heads = backend.heads
    first = sealed_number(heads, Tag.LATEST if query.from_block is None else query.from_block)
    last = sealed_number(heads, Tag.LATEST if query.to_block is None else query.to_block)
    return first, min(last, heads.unsafe.number)


async def _search(chain: ServedChain, query: LogQuery, first: int, last: int) -> list[LogRecord]:
    """Matching records, one more than allowed when there are more."""
    if first > last:
        return []
    limit = chain.config.log_range_limit
    if last - first >= limit:
        raise RpcError(
            Errors.LIMIT_EXCEEDED,
            f"query exceeds max block range {limit}, retry with the range {first}-{first + limit - 1}",
        )
    match = query.match
    try:
        async with asyncio.timeout(chain.config.log_timeout_s):
            return await chain.backend.logs(
                first, last, match.addresses, match.topics, chain.config.log_result_limit + 1
            )
    except TimeoutError:
        raise RpcError(Errors.TIMEOUT, f"{Errors.TIMEOUT.text}: search fewer blocks at once") from None


def _new_blocks(chain: ServedChain, found: BlockFilter) -> list[str]:
    head = chain.backend.heads.unsafe.number
    last = min(head, found.cursor + chain.config.log_range_limit)
    headers = [chain.backend.header(number) for number in range(found.cursor + 1, last + 1)]
    found.cursor = last
    return [data(header.hash) for header in headers if header is not None]


def _new_transactions(chain: ServedChain, found: PendingFilter) -> list[str] | list[Json]:
    pooled = chain.filters.pooled
    fresh = pooled.since(found.cursor)
    found.cursor = pooled.count
    if found.full:
        return [pooled_transaction(transaction) for transaction in fresh]
    return [data(transaction.hash) for transaction in fresh]


async def _new_logs(chain: ServedChain, found: LogFilter) -> list[orjson.Fragment]:
    """Removed logs first, then those of new blocks: as many whole blocks as fit, the rest at the next poll."""
    query, limit = found.query, chain.config.log_result_limit
    first = found.cursor + 1
    last = min(chain.backend.heads.unsafe.number, found.cursor + chain.config.log_range_limit)
    if type(query.to_block) is int:
        last = min(last, query.to_block)
    if query.block_hash is not None or last < first:
        fresh: list[LogRecord] = []
    else:
        # The cursor moves before the wait, so that two polls at once do not report the same logs.
        found.cursor = last
        try:
            fresh = await _search(chain, query, first, last)
        except BaseException:
            found.cursor = min(found.cursor, first - 1)
            raise
    if len(fresh) > limit:
        cut = fresh[limit].block_number
        whole = [record for record in fresh if record.block_number < cut]
        fresh = whole or fresh[:limit]
        found.cursor = min(found.cursor, cut - 1 if whole else cut)
    removed, found.removed = found.removed, []
    undone = await in_turns(removed, partial(log_record, removed=True), _IN_ONE_TURN)
    return undone + await in_turns(fresh, log_record, _IN_ONE_TURN)


_QUERY = Parameter("filter", log_query)
_ID = Parameter("filterId", parse_quantity)

METHODS = (
    Method("eth_getLogs", logs, (_QUERY,), Kind.LOGS),
    Method("eth_newFilter", new_filter, (_QUERY,)),
    Method("eth_newBlockFilter", new_block_filter),
    Method("eth_newPendingTransactionFilter", new_pending_transaction_filter, (optional("full", boolean, False),)),
    Method("eth_getFilterChanges", filter_changes, (_ID,), Kind.STATE),
    Method("eth_getFilterLogs", filter_logs, (_ID,), Kind.LOGS),
    Method("eth_uninstallFilter", uninstall_filter, (_ID,)),
)
