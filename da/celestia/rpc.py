"""celestia-node's JSON-RPC: one call, one answer, and every failure as one of our errors."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

import orjson

from da.celestia.errors import NodeError, translated
from da.celestia.wire import Json
from da.errors import LayerRefused
from da.http import HttpClient
from sequencer.core.errors import SequencerError, Temporary, Unknown

_OK: Final = 200
_UNAUTHORIZED: Final = 401


class NodeRpc:
    """One node, over an open HTTP client. The token file is read at the first call, and when it is refused."""

    def __init__(self, http: HttpClient, url: str, token_file: Path | None) -> None:
        self._http = http
        self._url = url
        self._token_file = token_file
        self._token: str | None = None
        self._ids = count(1)

    async def read(self, method: str, params: Sequence[Json], timeout_ms: int) -> Json:
        """The result of a call that changes nothing. Raises ``Temporary`` or ``LayerRefused``."""
        try:
            return await self._call(method, params, timeout_ms, writes=False)
        except Unknown as error:
            raise Temporary(str(error)) from error

    async def write(self, method: str, params: Sequence[Json], timeout_ms: int) -> Json:
        """The result of a call that may publish. Raises ``Unknown`` too."""
        return await self._call(method, params, timeout_ms, writes=True)

    async def _call(self, method: str, params: Sequence[Json], timeout_ms: int, *, writes: bool) -> Json:
        if self._token is None:
            self._token = self._read_token()
        request_id = next(self._ids)
        content = orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": list(params)})
        status, body = await self._post(content, timeout_ms)
        if status == _UNAUTHORIZED and (fresh := self._read_token()) != self._token:
            self._token = fresh  # the operator changed the file while we ran
            status, body = await self._post(content, timeout_ms)
        return _result(method, status, body, request_id, writes=writes)

    async def _post(self, content: bytes, timeout_ms: int) -> tuple[int, bytes]:
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        return await self._http.request("POST", self._url, timeout_ms, content=content, headers=headers)

    def _read_token(self) -> str:
        if self._token_file is None:
            return ""
        try:
            return self._token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            raise LayerRefused(f"celestia: the token file {self._token_file} cannot be read") from None


def _result(method: str, status: int, body: bytes, request_id: int, *, writes: bool) -> Json:
    """The ``result`` of an answer. Raises what its error, or its being no answer, amounts to."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[:200].decode(errors="replace").strip()
        raise translated(method, NodeError(f"HTTP {status} {text}", status=status), writes=writes) from None
    if not isinstance(document, dict):
        raise _no_answer(method, "no JSON-RPC answer", writes=writes)
    error = document.get("error")
    if error is not None:
        raise translated(method, _node_error(error, status), writes=writes)
    if status != _OK or document.get("id") != request_id:
        raise _no_answer(method, f"HTTP {status}, or another call's answer", writes=writes)
    return document.get("result")


def _node_error(error: Json, status: int) -> NodeError:
    if not isinstance(error, dict):
        return NodeError(str(error), status=status)
    code = error.get("code")
    return NodeError(str(error.get("message", "")), code if isinstance(code, int) else None, status)


def _no_answer(method: str, text: str, *, writes: bool) -> SequencerError:
    return (Unknown if writes else Temporary)(f"{method}: {text}")
