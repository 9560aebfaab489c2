"""Single facts about the store and the chain: format version, genesis, heads, and the promise ledger.

::

    0x01 "format"    -> version u32
    0x01 "genesis"   -> hash(32)
    0x01 "heads"     -> safe number u64 || safe hash(32) || finalized number u64 || finalized hash(32)
    0x01 "promises"  -> issued u64 || kept u64 || broken u64 || slashed u64
    0x01 "syncing"   -> empty; there from the first to the last step of a sync from DA
"""

import struct
from typing import Final

from sequencer.core.block import BlockRef
from sequencer.core.errors import ConfigError
from sequencer.core.ports import Storage
from sequencer.core.types import Hash32
from sequencer.core.views import PromiseLedger
from sequencer.storage.table import META

FORMAT_VERSION: Final = 2
"""2: receipts without logs are stored without their bloom (``rows``)."""
_READABLE: Final = range(1, FORMAT_VERSION + 1)

_FORMAT: Final = META + b"format"
_GENESIS: Final = META + b"genesis"
_HEADS: Final = META + b"heads"
_PROMISES: Final = META + b"promises"
_SYNCING: Final = META + b"syncing"
_HEADS_ROW: Final = struct.Struct(">Q32sQ32s")
_PROMISES_ROW: Final = struct.Struct(">QQQQ")


class ChainMeta:
    """The meta rows of one chain's store."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def check(self, genesis_hash: Hash32) -> None:
        """Claim an empty store, or make sure that it is of this program's format and of this chain.

        Raises ``ConfigError`` saying what to do.
        """
        version = self._storage.get(_FORMAT)
        if version is None:
            self._storage.write({_FORMAT: FORMAT_VERSION.to_bytes(4, "big"), _GENESIS: genesis_hash})
            return
        found = int.from_bytes(version, "big")
        if found not in _READABLE:
            raise ConfigError(
                "data-dir",
                f"block store format {found}",
                f"this program reads format {FORMAT_VERSION}: run the program that wrote it, or delete the block "
                "store, which is rebuilt from the sequence log",
            )
        genesis = self._storage.get(_GENESIS)
        if genesis != genesis_hash:
            shown = genesis.hex() if genesis is not None else ""
            reason = f"the node runs the chain with genesis 0x{genesis_hash.hex()}: use that chain's data folder"
            raise ConfigError("data-dir", f"block store of genesis 0x{shown}", reason)
        if found != FORMAT_VERSION:  # its rows read as they are, but not to a program that knows the older format alone
            self._storage.write({_FORMAT: FORMAT_VERSION.to_bytes(4, "big")})

    def heads(self) -> tuple[BlockRef, BlockRef] | None:
        """Safe and finalized, None before the first batch."""
        row = self._storage.get(_HEADS)
        if row is None:
            return None
        safe, safe_hash, finalized, finalized_hash = _HEADS_ROW.unpack(row)
        return BlockRef(safe, Hash32(safe_hash)), BlockRef(finalized, Hash32(finalized_hash))

    def put_heads(self, safe: BlockRef, finalized: BlockRef) -> None:
        """Remember how far the DA layer has come."""
        self._storage.write({_HEADS: _HEADS_ROW.pack(safe.number, safe.hash, finalized.number, finalized.hash)})

    @property
    def syncing(self) -> bool:
        """A sync from DA has begun and is not over: what is stored is a part of the chain, and nobody may lead it."""
        return self._storage.get(_SYNCING) is not None

    def begin_sync(self) -> None:
        """Durable when this returns. Blocking."""
        self._storage.write({_SYNCING: b""})
        self._storage.flush()

    def end_sync(self) -> None:
        """Everything is in its place, and durable."""
        self._storage.write({}, [_SYNCING])

    def promises(self) -> PromiseLedger:
        """The promise counters, all zero at first."""
        row = self._storage.get(_PROMISES)
        return PromiseLedger(*(_PROMISES_ROW.unpack(row) if row is not None else (0, 0, 0, 0)))

    def put_promises(self, ledger: PromiseLedger) -> None:
        """Remember the promise counters."""
        row = _PROMISES_ROW.pack(ledger.issued, ledger.kept, ledger.broken, ledger.slashed)
        self._storage.write({_PROMISES: row})
