"""``eth_call`` and ``eth_estimateGas`` on one state, as geth answers them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from execution.evm.reference import halts, transition
from execution.evm.reference.rules import Rules
from execution.evm.reference.transition import CALL_STIPEND, TRANSACTION_GAS, Call, Checks, Execution
from execution.evm.reference.world import ExecutionContext, StateSource, World
from sequencer.core.calls import AccountOverride, CallRequest, CallResult
from sequencer.core.errors import Reason, Rejected
from sequencer.core.types import UINT64_MAX, Address, Hash32

_ERROR_RATIO: Final = 0.015
"""How far an estimate may lie above the least gas that suffices (geth's ``estimateGasErrorRatio``)."""


_W = TypeVar("_W", bound=World)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a call runs in: a state, the block around it, and the rules of that block."""

    source: StateSource
    context: ExecutionContext
    rules: Rules


def call(request: CallRequest, around: Surroundings, gas_cap: int) -> CallResult:
    """Execute and keep nothing. Raises ``Rejected`` as geth's ``eth_call`` does."""
    return result_of(execute_in(new_world(World, request, around), request, around, gas_limit(request, gas_cap)))


def estimate(request: CallRequest, around: Surroundings, gas_cap: int) -> int | CallResult:
    """A gas limit that suffices, at most 1.5 % above the least, or the result that no limit avoids.

    The search of geth's eth/gasestimator: one run at the highest limit, one at what that run makes likely,
    then halving. Raises ``Rejected``.
    """
    high = _highest_limit(request, around, gas_cap)

    def attempt(limit: int) -> Execution | None:
        try:
            return execute_in(new_world(World, request, around), request, around, limit)
        except Rejected as refusal:
            if refusal.reason in (Reason.INTRINSIC_GAS, Reason.FLOOR_DATA_GAS):
                return None
            raise

    def suffices(limit: int) -> bool:
        done = attempt(limit)
        return done is not None and done.succeeded

    to = request.to
    is_transfer = not request.data and to is not None and not new_world(World, request, around).get_code(to)
    if is_transfer and suffices(TRANSACTION_GAS):
        return TRANSACTION_GAS
    first = attempt(high)
    if first is None or first.halt == halts.OUT_OF_GAS:
        return CallResult(b"", high, halt=f"gas required exceeds allowance ({high})")
    if not first.succeeded:
        return result_of(first)
    likely = (first.gas_used + first.gas_refunded + CALL_STIPEND) * 64 // 63
    return _search(suffices, first.gas_used - 1, high, likely)


def _search(suffices: Callable[[int], bool], low: int, high: int, likely: int) -> int:
    """The least limit known to suffice, given that ``low`` does not and ``high`` does."""
    if likely < high:
        if suffices(likely):
            high = likely
        else:
            low = likely
    while low + 1 < high and (high - low) / high >= _ERROR_RATIO:
        middle = min((low + high) // 2, low * 2)
        if suffices(middle):
            high = middle
        else:
            low = middle
    return high


def _highest_limit(request: CallRequest, around: Surroundings, gas_cap: int) -> int:
    """The limit above which the sender cannot pay, the block has no room, or the node does not go."""
    asked = request.gas_limit
    high = asked if asked is not None and asked >= TRANSACTION_GAS else around.context.gas_limit
    _, fee_cap = _fees(request)
    if fee_cap:
        balance = new_world(World, request, around).get_balance(request.sender)
        if request.value > balance:
            sender = transition.checksum(request.sender)
            raise Rejected(Reason.INSUFFICIENT_FUNDS, f"address {sender} have {balance} want {request.value}")
        high = min(high, (balance - request.value) // fee_cap)
    return min(high, gas_cap)


def gas_limit(request: CallRequest, gas_cap: int) -> int:
    """What a call runs with: the limit it asks for, and no more than the node grants."""
    return gas_cap if request.gas_limit is None else min(request.gas_limit, gas_cap)


def execute_in(world: World, request: CallRequest, around: Surroundings, limit: int) -> Execution:
    """One run with this gas limit in a fresh ``world``. Raises ``Rejected``."""
    tip, fee_cap = _fees(request)
    prepared = Call(
        type=4 if request.authorizations else 2,
        chain_id=None,
        sender=request.sender,
        nonce=world.get_nonce(request.sender),
        max_priority_fee_per_gas=tip,
        max_fee_per_gas=fee_cap,
        gas_limit=limit,
        to=request.to,
        value=request.value,
        data=request.data,
        access_list=request.access_list,
        authorizations=request.authorizations,
        blob_hashes=(),
        max_fee_per_blob_gas=0,
        raw=b"",
    )
    return transition.execute(world, around.rules, prepared, UINT64_MAX, Checks.FEES_IF_ANY)


def _fees(request: CallRequest) -> tuple[int, int]:
    if request.gas_price is not None:
        return request.gas_price, request.gas_price
    return request.max_priority_fee_per_gas or 0, request.max_fee_per_gas or 0


def new_world(kind: type[_W], request: CallRequest, around: Surroundings) -> _W:
    """A fresh world with the overrides in it. Without a price there is no base fee either, as in geth."""
    context = _context(request, around.context)
    world = kind(around.source, context, around.rules.precompiles)
    world.blocks_below = around.context.block_number
    world.moved_precompiles = moved_precompiles(request.overrides, around.rules.precompiles)
    for address, override in request.overrides.items():
        replace_account(world, address, override)
    world.forget_undo()
    return world


def _context(request: CallRequest, real: ExecutionContext) -> ExecutionContext:
    block = request.block
    context = real
    if block is not None:
        wanted: dict[str, Any] = {
            "block_number": block.number,
            "timestamp": block.timestamp,
            "gas_limit": block.gas_limit,
            "coinbase": block.coinbase,
            "mix_hash": block.prev_randao,
            "base_fee_per_gas": block.base_fee_per_gas,
            "blob_base_fee": block.blob_base_fee,
        }
        context = replace(real, **{name: value for name, value in wanted.items() if value is not None})
    return context if any(_fees(request)) else replace(context, base_fee_per_gas=0)


def moved_precompiles(
    overrides: Mapping[Address, AccountOverride], precompiles: frozenset[bytes]
) -> dict[bytes, bytes | None]:
    """Where which precompile answers. As in geth, an override of any kind makes a precompile's address an ordinary
    account. Raises ``Rejected`` for moves that cannot be."""
    moved: dict[bytes, bytes | None] = {address: None for address in overrides if address in precompiles}
    for address, override in overrides.items():
        target = override.moved_to
        if target is None:
            continue
        if address not in precompiles:
            raise _refused(f"account {transition.checksum(address)} is not a precompile")
        if target in overrides:
            raise _refused(f"account {transition.checksum(target)} is already overridden")
        if target in moved:
            raise _refused(f"account {transition.checksum(target)} has already been overridden by a precompile")
        moved[target] = address
    return moved


def _refused(detail: str) -> Rejected:
    return Rejected(Reason.INVALID_OVERRIDE, detail)


def replace_account(world: World, address: Address, override: AccountOverride) -> None:
    """Put what is overridden in place. Between transactions."""
    if override.nonce is not None:
        world.set_nonce(address, override.nonce)
    if override.code is not None:
        world.set_code(address, override.code)
    if override.balance_wei is not None:
        world.set_balance(address, override.balance_wei)
    if override.state is not None:
        world.replace_storage(address, _as_integers(override.state))
    world.override_slots(address, _as_integers(override.state_diff))


def _as_integers(slots: Mapping[Hash32, Hash32]) -> dict[int, int]:
    return {int.from_bytes(slot, "big"): int.from_bytes(value, "big") for slot, value in slots.items()}


def result_of(done: Execution) -> CallResult:
    """What the caller is told."""
    return CallResult(done.output, done.gas_used, done.reverted, done.halt, done.logs if done.succeeded else ())
