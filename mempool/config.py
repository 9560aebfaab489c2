"""The mempool's limits. Every queue and table of the part has its bound here.

The defaults follow geth's pool where it has a number; where this node differs, the field says why.
"""

from dataclasses import dataclass, fields

from sequencer.core.errors import ConfigError

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MempoolConfig:
    """Limits by count, bytes and time. Every one is at least 1."""

    pool_count: int = 100_000
    """Transactions in the pool, executable and queued together."""
    pool_bytes: int = 256 * _MIB
    """Raw bytes of all transactions in the pool."""
    sender_executable_count: int = 4_096
    """Executable transactions of one sender while there is room: a sequencer drains the pool within
    milliseconds, so a bot's burst is normal traffic."""
    sender_guaranteed_count: int = 16
    """Executable transactions that a sender may hold even when the pool is full; geth's account slots."""
    sender_queued_count: int = 64
    """Transactions of one sender that wait behind a missing nonce or for funds."""
    sender_bytes: int = 8 * _MIB
    """Raw bytes of one sender's transactions."""
    queued_count: int = 20_000
    """Transactions of all senders that wait behind a missing nonce or for funds."""
    nonce_gap: int = 64
    """How far a nonce may lie beyond the sender's next one."""
    delegated_count: int = 1
    """Transactions of an account that runs another's code (EIP-7702): others can empty it at any moment, so
    it may not fill the pool with promises that one call makes worthless."""
    replacement_bump_percent: int = 10
    """By how much both fees of a replacement must exceed the replaced ones."""
    queued_lifetime_ms: int = 3 * 60 * 60 * 1000
    """How long a transaction may wait without becoming executable."""
    housekeeping_interval_ms: int = 1_000
    """How often expiry runs and senders whose transactions wait for funds are looked at again."""
    refresh_count: int = 256
    """Senders that one round of housekeeping asks the state about."""
    ingress_count: int = 8_192
    """Raw transactions that wait for admission; beyond it they are refused at once."""
    ingress_bytes: int = 32 * _MIB
    """Raw bytes that wait for admission."""
    batch_count: int = 512
    """Raw transactions that are decoded and recovered together."""
    dropped_count: int = 16_384
    """Dropped transactions whose reason is remembered for status queries."""
    refused_count: int = 16_384
    """Refused transactions that are remembered, so that sending one again costs no signature check."""
    receipt_count: int = 200_000
    """Included transactions whose arrival is remembered, for receipts and for what is said of their status."""
    journal_size_bytes: int = 16 * _MIB
    """Size of the journal above which it is written anew, once most of it is about transactions that left."""
    bundle_count: int = 256
    """Bundles that wait."""
    bundle_transactions: int = 16
    """Transactions of one bundle."""
    bundle_blocks: int = 64
    """How many blocks ahead a bundle may be sent."""
    bundle_tries: int = 3
    """Blocks in which a bundle is tried before it is given up."""
    bundle_tries_per_block: int = 32
    """Bundles that may fail in one block; the rest wait for the next."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` for a limit below 1."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 1:
                raise ConfigError(f"mempool.{field.name}", value, "must be at least 1")
