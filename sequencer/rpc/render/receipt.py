"""Receipts as JSON."""

from sequencer.core.encoding import data, quantity
from sequencer.core.views import Inclusion
from sequencer.rpc.render.block_hash import block_hash
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.log import placed_log
from sequencer.rpc.render.transaction import effective_gas_price


def receipt(inclusion: Inclusion) -> Json:
    """The receipt of a sealed or pre-confirmed transaction; all of it is final, but for an open block's hash."""
    block, transaction, outcome = inclusion.block, inclusion.transaction, inclusion.outcome
    place: Json = {
        "blockHash": block_hash(block),
        "blockNumber": quantity(block.number),
        "transactionHash": data(transaction.hash),
        "transactionIndex": quantity(inclusion.position),
    }
    log_place = {**place, "blockTimestamp": quantity(block.timestamp)}
    first = inclusion.first_log_index
    to, created = transaction.to, outcome.contract_address
    return {
        **place,
        "type": quantity(transaction.type),
        "status": "0x1" if outcome.succeeded else "0x0",
        "from": data(transaction.sender),
        "to": None if to is None else data(to),
        "contractAddress": None if created is None else data(created),
        "cumulativeGasUsed": quantity(outcome.cumulative_gas_used),
        "gasUsed": quantity(outcome.gas_used),
        "effectiveGasPrice": quantity(effective_gas_price(transaction, block.base_fee_per_gas)),
        "logs": [placed_log(log, log_place, first + index) for index, log in enumerate(outcome.logs)],
        "logsBloom": data(outcome.logs_bloom),
    }
