"""``eth_call`` and ``eth_estimateGas``."""

from sequencer.core.calls import AccountOverride, BlockOverride, CallRequest, CallResult
from sequencer.core.encoding import data, quantity
from sequencer.core.revert import revert_reason
from sequencer.core.types import Address
from sequencer.rpc.block_id import BlockId, Tag, block_id
from sequencer.rpc.call_object import CallObject, call_block_override, call_object, state_overrides, with_overrides
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.eth_state import kept_history, read_at
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, optional


async def call(
    chain: ServedChain,
    wanted: CallObject,
    block: BlockId,
    overrides: dict[Address, AccountOverride] | None,
    block_override: BlockOverride | None,
) -> str:
    """The output of a message call. Raises ``RpcError`` 3 with the revert data when it reverts."""
    backend, config = chain.backend, chain.config
    request = with_overrides(wanted.checked(backend.spec.chain_id), overrides, block_override)
    with kept_history():
        at = read_at(chain, block)
        result = await backend.call(request, at, config.call_gas_cap, config.call_timeout_s)
    raise_failure(result)
    return data(result.output)


async def estimate_gas(
    chain: ServedChain,
    wanted: CallObject,
    block: BlockId,
    overrides: dict[Address, AccountOverride] | None,
    block_override: BlockOverride | None,
) -> str:
    """The least gas limit with which the transaction succeeds."""
    request = with_overrides(wanted.checked(chain.backend.spec.chain_id), overrides, block_override)
    return quantity(await required_gas(chain, request, block))


async def required_gas(chain: ServedChain, request: CallRequest, block: BlockId) -> int:
    """As ``estimate_gas``, in gas. Raises ``RpcError`` 3 with the revert data when no limit suffices."""
    backend, config = chain.backend, chain.config
    with kept_history():
        at = read_at(chain, block)
        result = await backend.estimate(request, at, config.call_gas_cap, config.call_timeout_s)
    if isinstance(result, int):
        return result
    if result.halt == "out of gas":
        allowance = min(request.gas_limit or backend.spec.gas_limit, config.call_gas_cap)
        raise RpcError(Errors.SERVER, f"gas required exceeds allowance ({allowance})")
    raise_failure(result)
    raise RpcError(Errors.INTERNAL)


def raise_failure(result: CallResult) -> None:
    """Raises ``RpcError`` unless the call succeeded."""
    if result.reverted:
        reason = revert_reason(result.output)
        message = f"{Errors.REVERTED.text}: {reason}" if reason else Errors.REVERTED.text
        raise RpcError(Errors.REVERTED, message, data(result.output))
    if result.halt:
        raise RpcError(Errors.SERVER, result.halt)


def _parameters(block: Tag) -> tuple[Parameter, ...]:
    return (
        Parameter("transaction", call_object),
        optional("block", block_id, block),
        optional("stateOverrides", state_overrides),
        optional("blockOverrides", call_block_override),
    )


METHODS = (
    Method("eth_call", call, _parameters(Tag.LATEST), Kind.CALL),
    # What is estimated will run after everything that is pre-confirmed, so that is where it is tried by default.
    Method("eth_estimateGas", estimate_gas, _parameters(Tag.PENDING), Kind.CALL),
)
