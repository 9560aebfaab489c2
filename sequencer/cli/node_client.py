"""JSON-RPC over HTTP for commands that ask a running node."""

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, Final

import orjson

from sequencer.core.errors import ConfigError, Temporary

TIMEOUT_S: Final = 10.0
ANSWER_LIMIT_BYTES: Final = 32 * 1024 * 1024


def call(url: str, method: str, *params: object) -> Any:
    """The result of one call. Raises ``Temporary`` if the node cannot be reached or does not answer in JSON,
    ``ConfigError`` if the URL is none or the node refuses the call."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError("--rpc", url, "is not an http or https URL")
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - checked above
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            answer = orjson.loads(response.read(ANSWER_LIMIT_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            raise Temporary(f"{url} answers with HTTP status {error.code}") from None
    except (OSError, HTTPException) as error:
        raise Temporary(f"{url} cannot be reached: {getattr(error, 'reason', error)}") from None
    except ValueError as error:
        raise Temporary(f"{url} does not answer JSON-RPC: {error}") from None
    if not isinstance(answer, dict) or "result" not in answer:
        refusal = answer.get("error") if isinstance(answer, dict) else None
        reason = refusal.get("message") if isinstance(refusal, dict) else "no result"
        raise ConfigError("--rpc", url, f"refuses {method}: {reason!r}")
    return answer["result"]
