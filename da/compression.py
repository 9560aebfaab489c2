"""zstd with a bound: a few bytes from a stranger never become more memory than we agreed to.

A compressed body is exactly one zstd frame (RFC 8878) without dictionary, whose header states the size of
its content. The statement is checked before anything is decompressed, and so is its truth.
"""

from typing import Final

import zstandard

from da.limits import MAX_ZSTD_WINDOW_BYTES
from sequencer.core.errors import Malformed

LEVEL: Final = 6
"""Of compression: higher ones cost far more time than they save bytes on signed transactions."""


def compress(data: bytes) -> bytes:
    """One frame that states its content size. The bytes may differ between versions of the library."""
    return zstandard.ZstdCompressor(level=LEVEL, write_content_size=True, write_checksum=False).compress(data)


def decompress(data: bytes, max_size: int) -> bytes:
    """The content of the one frame in ``data``, at most ``max_size`` bytes. Raises ``Malformed``."""
    try:
        parameters = zstandard.get_frame_parameters(data)
        size = parameters.content_size
        if size == zstandard.CONTENTSIZE_UNKNOWN:
            raise Malformed("zstd: the frame does not state its content size")
        if size > max_size:
            raise Malformed(f"zstd: {size} bytes of content, more than {max_size}")
        if parameters.dict_id:
            raise Malformed("zstd: the frame needs a dictionary")
        if parameters.window_size > MAX_ZSTD_WINDOW_BYTES:
            raise Malformed("zstd: the frame asks for too large a window")
        content = zstandard.ZstdDecompressor().decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Malformed(f"zstd: {error}") from None
    if len(content) != size:
        raise Malformed("zstd: the content does not have the stated size")
    return content
