"""Logs as JSON, inside receipts and on their own."""

from sequencer.core.encoding import data, quantity
from sequencer.core.receipt import Log
from sequencer.core.views import LogRecord
from sequencer.rpc.render.json import Json


def log_record(record: LogRecord, *, removed: bool = False) -> Json:
    """A log of a sealed block; ``removed`` when a reset undid that block."""
    return placed_log(
        record.log,
        {
            "blockHash": data(record.block_hash),
            "blockNumber": quantity(record.block_number),
            "blockTimestamp": quantity(record.block_timestamp),
            "transactionHash": data(record.transaction_hash),
            "transactionIndex": quantity(record.transaction_index),
        },
        record.log_index,
        removed=removed,
    )


def placed_log(log: Log, place: Json, log_index: int, *, removed: bool = False) -> Json:
    """A log with the members that it shares with every log of its transaction."""
    return {
        "address": data(log.address),
        "topics": [data(topic) for topic in log.topics],
        "data": data(log.data),
        **place,
        "logIndex": quantity(log_index),
        "removed": removed,
    }
