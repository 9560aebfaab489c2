"""Signed flashblocks as a node publishes them: its WebSocket subscription ``newFlashblocks``, or a file of events."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import aiohttp
import orjson

from sequencer.beacon.evidence_json import at, parse_signature, parse_struct
from sequencer.beacon.structs import FLASHBLOCK
from sequencer.core.errors import ConfigError, Malformed, Temporary
from sequencer.core.evidence import SignedPromise

MESSAGE_LIMIT_BYTES: Final = 4 * 1024 * 1024
HEARTBEAT_S: Final = 20.0


async def subscribed(url: str) -> AsyncIterator[SignedPromise]:
    """What the node at ``url`` publishes from now on. Raises ``Temporary`` when the connection ends, and
    ``ConfigError`` if what answers there is no node of ours."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_LIMIT_BYTES) as socket,
        ):
            await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newFlashblocks"]})
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                event = _event(url, message.data)
                if event is not None:
                    yield parse_event(event)
    except aiohttp.InvalidURL:
        raise ConfigError("--rpc", url, "is not a WebSocket URL") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Temporary(f"{url}: {error}") from None
    raise Temporary(f"{url} closed the connection")


def recorded(text: str) -> Iterator[SignedPromise]:
    """The flashblocks of a file with one event a line. Raises ``Malformed`` naming the line."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield parse_event(orjson.loads(line))
            except Malformed as error:
                raise Malformed(f"line {number}: {error}") from None
            except ValueError:
                raise Malformed(f"line {number}: not JSON") from None


def parse_event(event: object) -> SignedPromise:
    """A flashblock event, alone or inside the notification that brought it. Members beyond struct and signature
    are left aside: who signed is recovered, and evidence is not about transactions. Raises ``Malformed``."""
    if isinstance(event, dict) and isinstance(event.get("params"), dict):
        event = event["params"].get("result")
    if not isinstance(event, dict) or "flashblock" not in event:
        raise Malformed("not a signed flashblock")
    flashblock = at("flashblock", lambda value: parse_struct(FLASHBLOCK, value), event["flashblock"])
    return SignedPromise(flashblock, parse_signature(event.get("signature")))


def _event(url: str, text: str) -> dict[str, Any] | None:
    """The event in a message; None for the answer to the subscription."""
    try:
        message = orjson.loads(text)
    except ValueError:
        message = None
    if not isinstance(message, dict) or "error" in message:
        raise ConfigError("--rpc", url, "does not offer newFlashblocks")
    return message if message.get("method") == "eth_subscription" else None
