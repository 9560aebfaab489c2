"""Reads consensus receipts strictly, so that tests know what is in the bytes that the node makes."""

from sequencer.core import rlp
from sequencer.core.receipt import Log
from sequencer.core.types import Address, Hash32


def decode_receipt(receipt: bytes) -> tuple[bool, int, bytes, tuple[Log, ...]]:
    """Status, cumulative gas, bloom and logs of consensus receipt bytes. Raises ``Malformed``."""
    body = receipt if receipt[:1] >= b"\xc0" else receipt[1:]
    status, gas, logs_bloom, logs = rlp.as_list(rlp.decode(body), 4)
    return (
        rlp.as_uint(status, 1) == 1,
        rlp.as_uint(gas, 64),
        rlp.as_fixed(logs_bloom, 256),
        tuple(_decode_log(item) for item in rlp.as_list(logs)),
    )


def _decode_log(item: rlp.Decoded) -> Log:
    address, topics, data = rlp.as_list(item, 3)
    return Log(
        Address(rlp.as_fixed(address, 20)),
        tuple(Hash32(rlp.as_fixed(topic, 32)) for topic in rlp.as_list(topics)),
        rlp.as_bytes(data),
    )
