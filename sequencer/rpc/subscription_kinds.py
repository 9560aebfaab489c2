"""What can be subscribed to, and the options of each kind. Pure.

::

    newHeads                      headers of sealed blocks
    logs {address?, topics?}      logs of sealed blocks; again with removed: true when a reset undoes them
    newPendingTransactions full?  transactions that enter the pool, by hash or whole
    syncing                       false at once, and nothing more: the node serves only once it has caught up
    newFlashblocks {from?}        signed flashblocks
    preconfirmations {sender?, hash?, from?}   proofs, of these senders or transactions or of all; one or an array each

``from`` is ``{blockNumber, index?}``: everything from that flashblock on is told first, from the store, then what
follows live, each once and in order. A client that lost its connection asks from one past the last it has seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from sequencer.core import encoding
from sequencer.core.errors import Malformed
from sequencer.core.types import UINT32_MAX, UINT64_MAX, Address, Hash32
from sequencer.rpc.errors import Errors, RpcError, invalid_params
from sequencer.rpc.log_query import ALTERNATIVES_LIMIT, LogMatch, log_match
from sequencer.rpc.params import boolean, members


@dataclass(frozen=True, slots=True)
class NewHeads:
    """Headers of sealed blocks."""


@dataclass(frozen=True, slots=True)
class Logs:
    """Logs of sealed blocks."""

    match: LogMatch


@dataclass(frozen=True, slots=True)
class NewPendingTransactions:
    """Transactions that enter the pool."""

    full: bool


@dataclass(frozen=True, slots=True)
class Syncing:
    """The sync state: false, told at once. It never changes while the node serves."""


@dataclass(frozen=True, slots=True, order=True)
class From:
    """The flashblock with which a stream begins."""

    block_number: int
    index: int


@dataclass(frozen=True, slots=True)
class NewFlashblocks:
    """Signed flashblocks; without ``start`` from now on."""

    start: From | None = None


@dataclass(frozen=True, slots=True)
class Preconfirmations:
    """Proofs; with neither senders nor hashes, all of them."""

    senders: frozenset[Address]
    hashes: frozenset[Hash32]
    start: From | None = None

    def wants(self, sender: Address, transaction_hash: Hash32) -> bool:
        """The proof of this transaction is wanted."""
        if not self.senders and not self.hashes:
            return True
        return sender in self.senders or transaction_hash in self.hashes


Wanted: TypeAlias = NewHeads | Logs | NewPendingTransactions | Syncing | NewFlashblocks | Preconfirmations


def parse_subscription(kind: str, options: object) -> Wanted:
    """The subscription that was asked for. Raises ``RpcError`` in geth's words for an unknown kind."""
    parse = KINDS.get(kind)
    if parse is None:
        raise RpcError(Errors.NO_SUBSCRIPTION_KIND, Errors.NO_SUBSCRIPTION_KIND.text.format(kind=kind[:80]))
    try:
        return parse(options)
    except Malformed as error:
        raise invalid_params(f"invalid argument 1: {error}") from None


def _logs(options: object) -> Logs:
    return Logs(log_match(members(options or {})))


def _pending(options: object) -> NewPendingTransactions:
    return NewPendingTransactions(False if options is None else boolean(options))


def _flashblocks(options: object) -> NewFlashblocks:
    return NewFlashblocks(_start(members(options or {})))


def _start(fields: Mapping[str, object]) -> From | None:
    if "from" not in fields:
        return None
    position = members(fields["from"])
    number = encoding.parse_quantity(position.get("blockNumber"), UINT64_MAX)
    return From(number, encoding.parse_quantity(position.get("index", "0x0"), UINT32_MAX))


def _preconfirmations(options: object) -> Preconfirmations:
    fields = members(options or {})
    return Preconfirmations(
        frozenset(Address(encoding.parse_address(item)) for item in _one_or_many(fields.get("sender"))),
        frozenset(Hash32(encoding.parse_hash(item)) for item in _one_or_many(fields.get("hash"))),
        _start(fields),
    )


def start_of(wanted: Wanted) -> From | None:
    """Where the stream is to begin, None for now."""
    return wanted.start if isinstance(wanted, NewFlashblocks | Preconfirmations) else None


def _one_or_many(value: object) -> list[object]:
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    if len(items) > ALTERNATIVES_LIMIT:
        raise Malformed(f"more than {ALTERNATIVES_LIMIT} alternatives")
    return items


KINDS: Final[dict[str, Callable[[object], Wanted]]] = {
    "newHeads": lambda _: NewHeads(),
    "logs": _logs,
    "newPendingTransactions": _pending,
    "syncing": lambda _: Syncing(),
    "newFlashblocks": _flashblocks,
    "preconfirmations": _preconfirmations,
}
"""Every kind and the parser of its options."""
