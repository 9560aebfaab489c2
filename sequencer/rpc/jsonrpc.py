"""JSON-RPC 2.0 envelopes: bytes to requests, results to bytes. Pure.

::

    request   {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}       one, or an array of them
    response  {"jsonrpc": "2.0", "id": 1, "result": ...}    or    {..., "error": {"code", "message", "data"?}}

``params`` omitted, ``[]`` and ``null`` are alike. A request without ``id`` is a notification and has no
response; one whose id is ``null`` is answered. Ids are strings, integers or null and come back unchanged;
fractions are refused, because the parser turns integers beyond 64 bits into them and the id would come
back changed. Any bytes at all parse to something that has an answer: nothing here raises.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

from sequencer.rpc.errors import Errors, RpcError

Id: TypeAlias = str | int | None


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed request."""

    method: str
    params: list[object]
    id: Id
    notification: bool


@dataclass(frozen=True, slots=True)
class Invalid:
    """Something that is no request, and the answer it gets."""

    id: Id
    error: RpcError


Parsed: TypeAlias = Request | Invalid

_NO_PARAMS: Final[list[object]] = []
_PREFIX: Final = b'{"jsonrpc":"2.0","id":'


def parse(body: bytes | str, batch_limit: int) -> Parsed | list[Parsed]:
    """The request in ``body``, or a list of them when it is a batch of one to ``batch_limit`` items."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Invalid(None, RpcError(Errors.PARSE))
    if type(document) is not list:
        return _parse_item(document)
    if not document:
        return Invalid(None, RpcError(Errors.INVALID_REQUEST, "empty batch"))
    if len(document) > batch_limit:
        return Invalid(None, RpcError(Errors.BATCH_TOO_LARGE, f"batch too large: at most {batch_limit} requests"))
    return [_parse_item(item) for item in document]


def _parse_item(item: object) -> Parsed:
    if not isinstance(item, dict):
        return Invalid(None, RpcError(Errors.INVALID_REQUEST))
    request_id = item.get("id")
    # bool is an int to Python, not to JSON, hence the exact types.
    if request_id is not None and type(request_id) not in (str, int):
        return Invalid(None, RpcError(Errors.INVALID_REQUEST, "invalid request: id is not a string, integer or null"))
    method = item.get("method")
    if item.get("jsonrpc") != "2.0" or not isinstance(method, str):
        return Invalid(request_id, RpcError(Errors.INVALID_REQUEST))
    params = item.get("params")
    if params is None:
        params = _NO_PARAMS
    elif not isinstance(params, list):
        return Invalid(request_id, RpcError(Errors.INVALID_PARAMS, "non-array args"))
    return Request(method, params, request_id, "id" not in item)


def success(request_id: Id, result: object) -> bytes:
    """The response that carries ``result``."""
    return success_encoded(orjson.dumps(request_id), result)


def success_encoded(request_id: bytes, result: object) -> bytes:
    """As ``success``, to an id as it came."""
    return _PREFIX + request_id + b',"result":' + orjson.dumps(result) + b"}"


def failure(request_id: Id, error: RpcError) -> bytes:
    """The response that carries ``error``."""
    return failure_encoded(orjson.dumps(request_id), error)


def failure_encoded(request_id: bytes, error: RpcError) -> bytes:
    """As ``failure``, to an id as it came."""
    return _PREFIX + request_id + b',"error":' + orjson.dumps(error.to_json()) + b"}"


def join_batch(responses: list[bytes]) -> bytes:
    """The array of encoded responses; empty when all requests were notifications."""
    return b"[" + b",".join(responses) + b"]" if responses else b""


def notification(subscription: str, result: bytes) -> bytes:
    """An ``eth_subscription`` message around an already encoded result."""
    return (
        b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"'
        + subscription.encode()
        + b'","result":'
        + result
        + b"}}"
    )
