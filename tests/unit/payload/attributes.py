"""What a block begins with, for tests in which nothing depends on it."""

from sequencer.core.block import PayloadAttributes
from sequencer.core.keccak import keccak256
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH

ATTRIBUTES = PayloadAttributes(
    number=9,
    parent_hash=ZERO_HASH,
    timestamp=1_700_000_000,
    gas_limit=100_000,
    base_fee_per_gas=1,
    coinbase=ZERO_ADDRESS,
    prev_randao=ZERO_HASH,
    extra_data=keccak256(b"fcfs"),
    term=3,
)
