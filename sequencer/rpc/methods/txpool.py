"""``txpool_*``: what waits in the pool, by sender and nonce, executable (``pending``) and not yet (``queued``)."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from sequencer.core.encoding import data, parse_address, quantity
from sequencer.core.transaction import Transaction
from sequencer.core.types import Address
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.transaction import pooled_transaction

_IN_ONE_TURN: Final = 200
"""Transactions rendered before others get their turn."""


def status(chain: ServedChain) -> dict[str, str]:
    """How many transactions wait: executable ones, and those behind a nonce gap."""
    pending, queued = chain.backend.pool_counts()
    return {"pending": quantity(pending), "queued": quantity(queued)}


async def content(chain: ServedChain) -> Json:
    """Every waiting transaction, whole."""
    return await _listed(chain, pooled_transaction)


async def inspect(chain: ServedChain) -> Json:
    """Every waiting transaction in one line: recipient, value, gas limit and price."""
    return await _listed(chain, _summary)


def content_from(chain: ServedChain, sender: Address) -> Json:
    """One sender's waiting transactions, whole."""
    own = [(each, pending) for each, pending in chain.backend.pool_content() if each.sender == sender]
    return {
        "pending": _by_nonce((each for each, pending in own if pending), pooled_transaction),
        "queued": _by_nonce((each for each, pending in own if not pending), pooled_transaction),
    }


async def _listed(chain: ServedChain, render: Callable[[Transaction], object]) -> Json:
    """All of them by sender, some at a time, so that a full pool does not hold others up."""
    waiting, limit = chain.backend.pool_content(), chain.config.pool_content_limit
    if len(waiting) > limit:
        message = f"the pool holds {len(waiting)} transactions, at most {limit} are listed: use txpool_contentFrom"
        raise RpcError(Errors.LIMIT_EXCEEDED, message)
    listed: dict[bool, dict[str, Json]] = {True: {}, False: {}}
    for index, (transaction, pending) in enumerate(waiting):
        listed[pending].setdefault(data(transaction.sender), {})[str(transaction.nonce)] = render(transaction)
        if index % _IN_ONE_TURN == _IN_ONE_TURN - 1:
            await asyncio.sleep(0)
    return {"pending": listed[True], "queued": listed[False]}


def _by_nonce(transactions: Iterable[Transaction], render: Callable[[Transaction], object]) -> Json:
    return {str(transaction.nonce): render(transaction) for transaction in transactions}


def _summary(transaction: Transaction) -> str:
    to = "contract creation" if transaction.to is None else data(transaction.to)
    price = transaction.max_fee_per_gas
    return f"{to}: {transaction.value} wei + {transaction.gas_limit} gas × {price} wei"  # noqa: RUF001 - geth's sign


METHODS = (
    Method("txpool_status", status),
    Method("txpool_content", content, kind=Kind.LOGS),
    Method("txpool_inspect", inspect, kind=Kind.LOGS),
    Method("txpool_contentFrom", content_from, (Parameter("address", parse_address),), Kind.BLOCK),
)
