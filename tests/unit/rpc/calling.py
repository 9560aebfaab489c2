"""Asks a dispatcher the way a client does."""

from typing import Any

import orjson

from sequencer.rpc.dispatcher import Dispatcher


async def ask(dispatcher: Dispatcher, method: str, *params: Any) -> Any:
    """The whole response, decoded."""
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    return orjson.loads(await dispatcher.respond(orjson.dumps(request)))


async def result(dispatcher: Dispatcher, method: str, *params: Any) -> Any:
    """The result; fails on an error."""
    response = await ask(dispatcher, method, *params)
    assert "error" not in response, response
    return response["result"]


async def error(dispatcher: Dispatcher, method: str, *params: Any) -> Any:
    """The error; fails on a result."""
    response = await ask(dispatcher, method, *params)
    assert "result" not in response, response
    return response["error"]
