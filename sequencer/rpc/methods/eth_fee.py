"""``eth_*``: fees, suggested and paid."""

import asyncio

from sequencer.core.block import Header
from sequencer.core.encoding import quantity
from sequencer.core.views import OpenBlock
from sequencer.rpc import fees
from sequencer.rpc.block_id import Tag, block_number_or_tag, sealed_number
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.fees import BlockFees
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, loose_integer, number_list, optional
from sequencer.rpc.render.json import Json

_BLOB_BASE_FEE = "0x1"
"""What EIP-4844 charges while no blob is used; this chain takes none."""


def max_priority_fee_per_gas(chain: ServedChain) -> str:
    """A tip per gas that suffices."""
    return quantity(suggested_tip(chain))


def gas_price(chain: ServedChain) -> str:
    """A legacy gas price that suffices: the base fee of the open block and the suggested tip."""
    return quantity(chain.backend.next_base_fee() + suggested_tip(chain))


def base_fee(chain: ServedChain) -> str:
    """The base fee of the open block."""
    return quantity(chain.backend.next_base_fee())


def blob_base_fee(_: ServedChain) -> str:
    """The least there is, since no blobs are taken."""
    return _BLOB_BASE_FEE


async def fee_history(chain: ServedChain, count: int, newest: int | Tag, percentiles: list[float] | None) -> Json:
    """Base fees, fullness and tips of ``count`` blocks up to ``newest``, and the base fee after them."""
    backend = chain.backend
    fees.check_percentiles(percentiles or ())
    head = backend.heads.unsafe.number
    last = sealed_number(backend.heads, newest)
    if last > head:
        raise RpcError(Errors.SERVER, f"request beyond head block: requested {last}, head {head}")
    wanted = tuple(percentiles or ())
    rows: list[BlockFees] = []
    pending = backend.open_block() if newest is Tag.PENDING and count > 0 else None
    sealed_count = max(0, min(count, chain.config.fee_history_limit) - (pending is not None))
    first = max(0, last + 1 - sealed_count)
    for number in range(first, last + 1):
        rows.append(_sealed_fees(chain, number, wanted))
        await asyncio.sleep(0)
    if pending is not None:
        rows.append(_open_fees(pending, wanted))
    base_fees = [quantity(row.base_fee_wei) for row in rows]
    if rows:
        base_fees.append(quantity(_base_fee_after(chain, last, pending)))
    answer: Json = {
        "oldestBlock": quantity(first if rows else 0),
        "baseFeePerGas": base_fees,
        "gasUsedRatio": [row.gas_used_ratio for row in rows],
        "baseFeePerBlobGas": [_BLOB_BASE_FEE] * (len(rows) + 1) if rows else [],
        "blobGasUsedRatio": [0] * len(rows),
    }
    if wanted:
        answer["reward"] = [[quantity(tip) for tip in row.rewards] for row in rows]
    return answer


def _base_fee_after(chain: ServedChain, last: int, pending: OpenBlock | None) -> int:
    """The base fee of the block after the newest row, in wei per gas."""
    backend = chain.backend
    if pending is not None:
        attributes = pending.attributes
        rule = backend.spec.fees
        return rule.next_base_fee(attributes.base_fee_per_gas, _gas_used(pending), attributes.gas_limit)
    following = backend.header(last + 1) if last < backend.heads.unsafe.number else None
    return following.base_fee_per_gas if following is not None else backend.next_base_fee()


def _open_fees(pending: OpenBlock, percentiles: tuple[float, ...]) -> BlockFees:
    attributes = pending.attributes
    paid = fees.rewards(attributes.base_fee_per_gas, pending.transactions, pending.outcomes, percentiles)
    return BlockFees(attributes.base_fee_per_gas, _gas_used(pending) / attributes.gas_limit, paid)


def _gas_used(pending: OpenBlock) -> int:
    return pending.outcomes[-1].cumulative_gas_used if pending.outcomes else 0


def _sealed_fees(chain: ServedChain, number: int, percentiles: tuple[float, ...]) -> BlockFees:
    header = chain.backend.header(number)
    if header is None:
        raise RpcError(Errors.PRUNED)
    return BlockFees(header.base_fee_per_gas, header.gas_used / header.gas_limit, _rewards(chain, header, percentiles))


def _rewards(chain: ServedChain, header: Header, percentiles: tuple[float, ...]) -> tuple[int, ...]:
    if not percentiles or not header.gas_used:
        return (0,) * len(percentiles)
    known = chain.rewards.get(header.hash, percentiles)
    if known is not None:
        return known
    block = chain.backend.block(header.number)
    if block is None:
        raise RpcError(Errors.PRUNED)
    paid = fees.rewards(header.base_fee_per_gas, block.transactions, block.outcomes, percentiles)
    chain.rewards.put(header.hash, percentiles, paid)
    return paid


def suggested_tip(chain: ServedChain) -> int:
    """A tip per gas, in wei, that suffices."""
    config, backend = chain.config, chain.backend
    head = backend.heads.unsafe.number
    headers = (backend.header(number) for number in range(max(1, head + 1 - config.fee_sample_blocks), head + 1))
    lowest = [_rewards(chain, header, (0.0,))[0] for header in headers if header is not None and header.gas_used]
    return fees.suggest_tip(lowest, config.minimum_tip_wei, config.maximum_tip_wei)


_HISTORY = (
    Parameter("blockCount", loose_integer),
    Parameter("newestBlock", block_number_or_tag),
    optional("rewardPercentiles", number_list),
)

METHODS = (
    Method("eth_gasPrice", gas_price),
    Method("eth_maxPriorityFeePerGas", max_priority_fee_per_gas),
    Method("eth_baseFee", base_fee),
    Method("eth_blobBaseFee", blob_base_fee),
    Method("eth_feeHistory", fee_history, _HISTORY, Kind.STATE),
)
