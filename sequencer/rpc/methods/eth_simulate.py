"""``eth_simulateV1``: calls one after another, in blocks that do not exist, seeing each other's changes.

::

    {"blockStateCalls": [{"blockOverrides"?, "stateOverrides"?, "calls"?}, ...],      1 to 256 blocks
     "traceTransfers"?: bool, "validation"?: bool, "returnFullTransactions"?: bool}
"""

from dataclasses import dataclass
from typing import Final

from sequencer.core.block import Block
from sequencer.core.calls import AccountOverride, BlockOverride
from sequencer.core.encoding import data, quantity
from sequencer.core.errors import Malformed, Reason, Rejected
from sequencer.core.revert import revert_reason
from sequencer.core.simulation import BlockCalls, SimulatedBlock, SimulatedCall, Simulation
from sequencer.core.types import Address
from sequencer.rpc.block_id import BlockId, Tag, block_id
from sequencer.rpc.call_object import CallObject, block_override, call_object, state_overrides
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import SIMULATION_REASONS, Errors, RpcError, invalid_params
from sequencer.rpc.methods.eth_state import kept_history, read_at
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, boolean, list_of, members, optional
from sequencer.rpc.render import block as blocks
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.log import placed_log

BLOCKS_LIMIT: Final = 256
_OF_BLOCKS: Final = frozenset(
    {
        Reason.INVALID_OVERRIDE,
        Reason.BLOCK_GAS_LIMIT,
        Reason.BLOCK_NUMBER_ORDER,
        Reason.BLOCK_TIME_ORDER,
        Reason.TOO_MANY_BLOCKS,
    }
)
"""Refusals of a block; those of a call are told with geth's prefix."""
CALLS_LIMIT: Final = 5_000
"""More than the gas of all calls together pays for."""


@dataclass(frozen=True, slots=True)
class _Block:
    block: BlockOverride
    accounts: dict[Address, AccountOverride]
    calls: tuple[CallObject, ...]


@dataclass(frozen=True, slots=True)
class SimulationObject:
    """The parsed object of the module's docstring."""

    blocks: tuple[_Block, ...]
    trace_transfers: bool
    validation: bool
    full: bool


async def simulate(chain: ServedChain, wanted: SimulationObject, block: BlockId) -> list[Json]:
    """Simulated blocks, each with what its calls did."""
    backend, config = chain.backend, chain.config
    _check(wanted)
    with kept_history():
        at = read_at(chain, block)
        simulation = Simulation(
            blocks=tuple(
                BlockCalls(each.block, each.accounts, tuple(call.checked(backend.spec.chain_id) for call in each.calls))
                for each in wanted.blocks
            ),
            validation=wanted.validation,
            trace_transfers=wanted.trace_transfers,
            state_roots=at == "pending" or backend.heads.unsafe.number - at <= config.proof_range_limit,
            fees=backend.spec.fees,
        )
        try:
            simulated = await backend.simulate(simulation, at, config.call_gas_cap, config.call_timeout_s)
        except Rejected as refusal:
            text = str(refusal) if refusal.reason in _OF_BLOCKS else f"err: {refusal}"
            raise RpcError(SIMULATION_REASONS.get(refusal.reason, Errors.INTERNAL), text) from None
    return [_rendered(each, full=wanted.full) for each in simulated]


def _check(wanted: SimulationObject) -> None:
    """Raises ``RpcError`` for what the execution API has codes for."""
    if not wanted.blocks:
        raise invalid_params("empty input")
    if len(wanted.blocks) > BLOCKS_LIMIT:
        raise RpcError(Errors.SIMULATION_TOO_LARGE)
    for each in wanted.blocks:
        targets = [with_.moved_to for with_ in each.accounts.values() if with_.moved_to is not None]
        if any(address == with_.moved_to for address, with_ in each.accounts.items()):
            raise RpcError(Errors.PRECOMPILE_MOVED_TO_ITSELF)
        if len(set(targets)) < len(targets):
            raise RpcError(Errors.PRECOMPILES_MOVED_TOGETHER)


def _rendered(simulated: SimulatedBlock, *, full: bool) -> Json:
    header, calls = simulated.header, simulated.calls
    fields = blocks.block(Block(header, tuple(call.transaction for call in calls), ()), full=full)
    place = {
        "blockHash": fields["hash"],
        "blockNumber": fields["number"],
        "blockTimestamp": fields["timestamp"],
    }
    rendered = []
    for index, call in enumerate(calls):
        where = {**place, "transactionHash": data(call.transaction.hash), "transactionIndex": quantity(index)}
        rendered.append(_call(call, where))
    return {**fields, "calls": rendered}


def _call(call: SimulatedCall, place: Json) -> Json:
    result = call.result
    fields: Json = {
        "returnData": data(result.output if result.succeeded else b""),
        "logs": [placed_log(log, place, index) for log, index in zip(result.logs, call.log_indexes, strict=True)],
        "gasUsed": quantity(result.gas_used),
        "maxUsedGas": quantity(call.max_gas_used),
        "status": quantity(result.succeeded),
    }
    if result.reverted:
        reason = revert_reason(result.output)
        message = f"{Errors.REVERTED.text}: {reason}" if reason else Errors.REVERTED.text
        fields["error"] = {"message": message, "code": Errors.REVERTED.code, "data": data(result.output)}
    elif result.halt:
        fields["error"] = {"message": result.halt, "code": Errors.SIMULATED_HALT.code}
    return fields


def simulation_object(value: object) -> SimulationObject:
    """The parsed object. Raises ``Malformed`` naming the member that is wrong."""
    fields = members(value)
    flags = {
        name: boolean(fields.get(name, False)) for name in ("traceTransfers", "validation", "returnFullTransactions")
    }
    each = fields.get("blockStateCalls", [])
    if not isinstance(each, list):
        raise Malformed("blockStateCalls: expected an array")
    # One more than may be, so that the refusal has its own code.
    parsed = tuple(_block(item) for item in each[: BLOCKS_LIMIT + 1])
    if sum(len(item.calls) for item in parsed) > CALLS_LIMIT:
        raise Malformed(f"more than {CALLS_LIMIT} calls")
    return SimulationObject(parsed, flags["traceTransfers"], flags["validation"], flags["returnFullTransactions"])


def _block(value: object) -> _Block:
    fields = members(value)
    calls = list_of(call_object, CALLS_LIMIT)(fields.get("calls", []))
    return _Block(
        block_override(fields.get("blockOverrides", {})),
        state_overrides(fields.get("stateOverrides", {})),
        tuple(calls),  # type: ignore[arg-type]
    )


METHODS = (
    Method(
        "eth_simulateV1",
        simulate,
        (Parameter("simulation", simulation_object), optional("block", block_id, Tag.LATEST)),
        Kind.CALL,
    ),
)
