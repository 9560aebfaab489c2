"""The port between the HTTP server and an engine that reads requests: plain sends, many in one call.

A *plain send* is a whole POST request that does nothing but ``eth_sendRawTransaction``, one call or a batch of them,
or one ``eth_sendRawTransactionSync`` with its default timeout. It is most of what a busy node is sent, so reading it
may not cost more than the transaction inside it. Having no ``SendReader`` is fine: then every request is read the
general way, which also decides whatever a reader declines.
"""

from collections.abc import Sequence
from typing import Protocol

from sequencer.core.types import Hash32


class PlainSends(Protocol):
    """One such request."""

    def __len__(self) -> int:
        """How many transactions it hands in; at least one."""
        ...

    @property
    def caller(self) -> bytes:
        """The same for requests of equal path, host and origin, and for no others."""
        ...

    @property
    def path(self) -> str: ...
    @property
    def host(self) -> str | None: ...
    @property
    def origin(self) -> str | None: ...
    @property
    def forwarded_for(self) -> str: ...
    @property
    def end(self) -> int:
        """Bytes of the request, header and body."""
        ...

    @property
    def awaited(self) -> bool:
        """It is one ``eth_sendRawTransactionSync``; ``answer`` is not for it."""
        ...

    @property
    def accepts_gzip(self) -> bool: ...
    @property
    def id(self) -> bytes:
        """The first call's, encoded."""
        ...

    @property
    def raws(self) -> Sequence[bytes]:
        """The raw transactions, in order."""
        ...

    @property
    def hashes(self) -> Sequence[Hash32]:
        """Theirs."""
        ...

    def answer(self, cors: bytes, errors: Sequence[tuple[int, bytes]]) -> bytes:
        """The whole HTTP response, with the header lines ``cors``: each call's hash, or its encoded ``error`` member
        for those whose place is in ``errors``, which is in order."""
        ...


class SendReader(Protocol):
    """Reads requests, many a call and without the GIL; without state of its own."""

    def read(self, requests: Sequence[bytes]) -> Sequence[PlainSends | None]:
        """What each of ``requests`` begins with: a plain send that is there whole, or None for anything else.

        Never raises for what the bytes hold, and takes nothing for a plain send that the general way would read
        in any other way.
        """
        ...


class SendReaderFactory(Protocol):
    """Makes the reader for a server's limits."""

    def __call__(self, *, body_limit: int, batch_limit: int, gzip_threshold: int, answer_limit: int) -> SendReader: ...
