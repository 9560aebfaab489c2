"""HTTP with a deadline and a bound on the answer: the one module that knows httpx.

What a broken connection means depends on how far the request came: before it was sent nothing happened
(``Temporary``), after that nobody knows (``Unknown``). Callers who only read may treat both alike.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Self

import httpx

from sequencer.core.errors import Temporary, Unknown

_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_CONNECT_S: Final = 5.0


class HttpClient:
    """Connections to one server. An async context manager; ``transport`` replaces the network in tests."""

    def __init__(self, name: str, max_response_bytes: int, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._name = name
        self._max_response_bytes = max_response_bytes
        self._transport = transport
        self._client: httpx.AsyncClient

    async def __aenter__(self) -> Self:
        limits = httpx.Limits(max_connections=16, max_keepalive_connections=8)
        self._client = httpx.AsyncClient(transport=self._transport, limits=limits, trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def request(
        self, method: str, url: str, timeout_ms: int, *, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body. Raises ``Temporary`` if the request never left or the answer is too large, ``Unknown``
        if it may have arrived."""
        timeout_s = timeout_ms / 1000
        timeout = httpx.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s))
        sent = self._client.stream(method, url, content=content, headers=dict(headers or {}), timeout=timeout)
        try:
            async with asyncio.timeout(timeout_s), sent as answer:
                return answer.status_code, await self._bounded(answer)
        except _UNSENT as error:
            raise Temporary(f"{self._name} cannot be reached ({type(error).__name__})") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unknown(f"no answer from {self._name} ({type(error).__name__})") from error

    async def _bounded(self, answer: httpx.Response) -> bytes:
        parts, size = [], 0
        async for part in answer.aiter_bytes():
            size += len(part)
            if size > self._max_response_bytes:
                raise Temporary(f"{self._name}: the answer is larger than {self._max_response_bytes} bytes")
            parts.append(part)
        return b"".join(parts)
