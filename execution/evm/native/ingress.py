"""Reading plain sends in the Rust extension: a turn's requests in one call, without the GIL."""

from collections.abc import Sequence

import rollup_sequencer_native as native

from execution.evm.native.errors import translated
from sequencer.core.sends import PlainSends


class NativeSendReader:
    """``core.sends.SendReader``. Limits in bytes, and calls of a batch."""

    def __init__(self, *, body_limit: int, batch_limit: int, gzip_threshold: int, answer_limit: int) -> None:
        self._reader = native.SendReader(body_limit, batch_limit, gzip_threshold, answer_limit)

    def read(self, requests: Sequence[bytes]) -> Sequence[PlainSends | None]:
        with translated():
            read: Sequence[PlainSends | None] = self._reader.read(requests)
        return read
