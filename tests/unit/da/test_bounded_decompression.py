"""zstd from strangers: bombs, lies and leftovers are refused without paying for them."""

import tracemalloc

import pytest
import zstandard

from da import compression
from sequencer.core.errors import Malformed


def test_what_was_compressed_comes_back() -> None:
    data = bytes(range(256)) * 40
    assert compression.decompress(compression.compress(data), len(data)) == data


def test_a_bomb_is_refused_by_its_stated_size_without_memory() -> None:
    bomb = compression.compress(bytes(64 * 1024 * 1024))
    assert len(bomb) < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(Malformed, match="more than"):
            compression.decompress(bomb, 1024 * 1024)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_frame_must_state_its_size() -> None:
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(100))
    with pytest.raises(Malformed, match="state"):
        compression.decompress(silent, 1000)


def test_a_frame_must_not_need_a_dictionary() -> None:
    dictionary = zstandard.train_dictionary(1024, [bytes([i % 7, i % 11, i % 13] * 40) for i in range(300)])
    frame = zstandard.ZstdCompressor(dict_data=dictionary, write_dict_id=True).compress(bytes(100))
    with pytest.raises(Malformed, match="dictionary"):
        compression.decompress(frame, 1000)


def test_a_frame_must_not_ask_for_a_huge_window() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=True)
    data = bytes(65 * 1024 * 1024)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compress(data)
    with pytest.raises(Malformed, match="window"):
        compression.decompress(frame, len(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f + b"\0",
        lambda f: f + f,
        lambda f: f[:-1],
        lambda f: b"",
        lambda f: b"\x50\x2a\x4d\x18\x04\0\0\0abcd",
        lambda f: f[:6] + bytes([f[6] ^ 0xFF]) + f[7:],
    ],
    ids=["extra byte", "two frames", "cut short", "nothing", "skippable frame", "flipped"],
)
def test_anything_but_one_whole_frame_is_refused(change) -> None:
    frame = compression.compress(b"some content that is long enough to be compressed" * 3)
    with pytest.raises(Malformed):
        compression.decompress(change(frame), 10_000)
