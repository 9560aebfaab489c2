"""``eth_sendRawTransactionConditional``: admit a transaction only while the chain is as its sender expects (ERC-7796).

::

    {"knownAccounts"?: {address: {slot: value}}, "blockNumberMin"?, "blockNumberMax"?, "timestampMin"?, "timestampMax"?}

The conditions are held against pre-confirmed state at the moment of admission, and a transaction that could not be
executed right away is refused, so that what was checked is a few milliseconds old when it runs. They are not looked
at again.
"""

from dataclasses import dataclass
from typing import Final

from sequencer.core import encoding
from sequencer.core.encoding import data
from sequencer.core.errors import Malformed, NonceGap
from sequencer.core.types import UINT64_MAX, Address, Hash32
from sequencer.rpc import params
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, members, storage_slot

CONDITIONS_LIMIT: Final = 1_000
"""Slots and bounds in one request."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold. Block numbers and unix seconds are those of the open block, bounds included."""

    slots: dict[Address, dict[Hash32, Hash32]]
    block_number: range
    timestamp: range

    @property
    def count(self) -> int:
        """How much there is to check."""
        return 2 + sum(map(len, self.slots.values()))


async def send_raw_transaction_conditional(chain: ServedChain, raw: bytes, conditions: Conditions) -> str:
    """Admit the transaction if the conditions hold; its hash. Raises ``RpcError`` -32003 naming the one that fails."""
    if conditions.count > CONDITIONS_LIMIT:
        raise RpcError(Errors.LIMIT_EXCEEDED, f"conditions cost {conditions.count}, at most {CONDITIONS_LIMIT}")
    _check_block(chain, conditions)
    for address, slots in conditions.slots.items():
        found = await chain.backend.storage(address, list(slots), "pending")
        for (slot, expected), value in zip(slots.items(), found, strict=True):
            if value != expected:
                raise _failed(f"storage slot {data(slot)} of {data(address)} has another value")
    try:
        return data(await chain.backend.submit(raw, executable_only=True))
    except NonceGap as gap:
        raise _failed(str(gap)) from None


def _check_block(chain: ServedChain, conditions: Conditions) -> None:
    pending = chain.backend.open_block()
    head = pending.attributes if pending is not None else chain.backend.header(chain.backend.heads.unsafe.number)
    if head is None:
        raise RpcError(Errors.PRUNED)
    if head.number not in conditions.block_number:
        raise _failed(f"block number {head.number} is out of the bounds")
    if head.timestamp not in conditions.timestamp:
        raise _failed(f"block timestamp {head.timestamp} is out of the bounds")


def _failed(why: str) -> RpcError:
    return RpcError(Errors.CONDITION_FAILED, f"{Errors.CONDITION_FAILED.text}: {why}")


def parse_conditions(value: object) -> Conditions:
    """The parsed object. Raises ``Malformed``; what is not understood is refused, since it could not be kept."""
    fields = members(value)
    unknown = set(fields) - {"knownAccounts", *_BOUNDS}
    if unknown:
        raise Malformed(f"unknown condition: {min(unknown)[:80]}")

    def bound(name: str, default: int) -> int:
        return params.loose_integer(fields[name]) if name in fields else default

    return Conditions(
        {encoding.parse_address(key): _slots(item) for key, item in members(fields.get("knownAccounts", {})).items()},
        range(bound("blockNumberMin", 0), bound("blockNumberMax", UINT64_MAX) + 1),
        range(bound("timestampMin", 0), bound("timestampMax", UINT64_MAX) + 1),
    )


def _slots(value: object) -> dict[Hash32, Hash32]:
    if isinstance(value, str):
        raise Malformed("a storage root as condition is not supported: name the slots")
    return {storage_slot(slot): encoding.parse_hash(item) for slot, item in members(value).items()}


_BOUNDS: Final = ("blockNumberMin", "blockNumberMax", "timestampMin", "timestampMax")

METHODS = (
    Method(
        "eth_sendRawTransactionConditional",
        send_raw_transaction_conditional,
        (Parameter("transaction", params.data), Parameter("conditions", parse_conditions)),
        Kind.WAIT,
    ),
)
