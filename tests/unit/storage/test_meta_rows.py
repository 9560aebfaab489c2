"""The meta rows: format and chain are checked, and a sync that is not over is known."""

import pytest

from sequencer.core.errors import ConfigError
from sequencer.storage.memory import MemoryStorage
from sequencer.storage.meta import FORMAT_VERSION, ChainMeta
from sequencer.storage.table import META
from tests.unit.storage.sample_blocks import topic


def test_an_empty_store_is_claimed_and_recognised() -> None:
    storage = MemoryStorage()
    ChainMeta(storage).check(topic(1))
    ChainMeta(storage).check(topic(1))
    with pytest.raises(ConfigError, match="data folder"):
        ChainMeta(storage).check(topic(2))


def test_another_format_is_refused_with_what_to_do() -> None:
    storage = MemoryStorage()
    ChainMeta(storage).check(topic(1))
    storage.write({META + b"format": (FORMAT_VERSION + 1).to_bytes(4, "big")})
    with pytest.raises(ConfigError, match="rebuilt from the sequence log"):
        ChainMeta(storage).check(topic(1))


def test_an_older_format_that_still_reads_is_taken_over() -> None:
    storage = MemoryStorage()
    ChainMeta(storage).check(topic(1))
    storage.write({META + b"format": (1).to_bytes(4, "big")})
    ChainMeta(storage).check(topic(1))
    assert storage.get(META + b"format") == FORMAT_VERSION.to_bytes(4, "big")


def test_a_sync_that_is_not_over_is_remembered() -> None:
    storage = MemoryStorage()
    meta = ChainMeta(storage)
    assert not meta.syncing
    meta.begin_sync()
    assert ChainMeta(storage).syncing
    meta.end_sync()
    assert not ChainMeta(storage).syncing
