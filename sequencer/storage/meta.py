"""Single facts about the store and the chain: format version, genesis, and a sync that is not over.

::

    0x01 "format"    -> version u32
    0x01 "genesis"   -> hash(32)
    0x01 "syncing"   -> empty; there from the first to the last step of a sync from DA
"""

from typing import Final

from sequencer.core.errors import ConfigError
from sequencer.core.ports import Storage
from sequencer.core.types import Hash32
from sequencer.storage.table import META

FORMAT_VERSION: Final = 2
"""2: receipts without logs are stored without their bloom (``rows``)."""
_READABLE: Final = range(1, FORMAT_VERSION + 1)

_FORMAT: Final = META + b"format"
_GENESIS: Final = META + b"genesis"
_SYNCING: Final = META + b"syncing"


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
                "node.data_dir",
                f"block store format {found}",
                f"this program reads format {FORMAT_VERSION}: run the program that wrote it, or delete the block "
                "store, which is rebuilt from the sequence log",
            )
        genesis = self._storage.get(_GENESIS)
        if genesis != genesis_hash:
            shown = genesis.hex() if genesis is not None else ""
            reason = f"the node runs the chain with genesis 0x{genesis_hash.hex()}: use that chain's data folder"
            raise ConfigError("node.data_dir", f"block store of genesis 0x{shown}", reason)
        if found != FORMAT_VERSION:  # its rows read as they are, but not to a program that knows the older format alone
            self._storage.write({_FORMAT: FORMAT_VERSION.to_bytes(4, "big")})

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
