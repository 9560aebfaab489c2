"""JSON-RPC over HTTP to the chain that hears evidence. Blocking; for commands and worker threads."""

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, Final

import orjson

from sequencer.beacon.errors import Refused
from sequencer.core.encoding import parse_data
from sequencer.core.errors import ConfigError, Malformed, Temporary

TIMEOUT_S: Final = 20.0
ANSWER_LIMIT_BYTES: Final = 8 * 1024 * 1024


class JsonRpc:
    """One endpoint."""

    def __init__(self, url: str) -> None:
        """Raises ``ConfigError`` for anything but http and https."""
        if not url.startswith(("http://", "https://")):
            raise ConfigError("--rpc-url", url, "is not an http or https URL")
        self._url = url

    def call(self, method: str, *params: object) -> Any:
        """The result. Raises ``Refused`` with the error that came back, ``Temporary`` if nothing sensible did."""
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        request = urllib.request.Request(self._url, body, {"content-type": "application/json"})  # noqa: S310 - checked
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                answer = orjson.loads(response.read(ANSWER_LIMIT_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                raise Temporary(f"{self._url} answers with HTTP status {error.code}") from None
        except (OSError, HTTPException, ValueError) as error:
            raise Temporary(f"{self._url}: {error}") from None
        if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
            raise _refusal(answer["error"])
        if not isinstance(answer, dict) or "result" not in answer:
            raise Temporary(f"{self._url} does not speak JSON-RPC")
        return answer["result"]


def _refusal(error: dict[str, Any]) -> Refused:
    detail = error.get("data")
    if isinstance(detail, dict):
        detail = detail.get("data")
    try:
        returned = parse_data(detail)
    except Malformed:
        returned = b""
    return Refused(str(error.get("message", "refused"))[:400], returned)
