"""Blobs from a beacon node's REST interface (``GET /eth/v1/beacon/blobs/{block_id}``, beacon-APIs).

A beacon block is named by its slot, which follows from the time of the execution block. A node that does not say how
long its slots are, as anvil does not, takes the number of the execution block instead.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from da.ethereum.packing import BLOB_BYTES
from da.http import HttpClient
from sequencer.core import encoding
from sequencer.core.errors import Malformed, Temporary, Unknown
from sequencer.core.types import Hash32

_OK: Final = 200
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Slots:
    """When slot 0 began and how long a slot is, in unix seconds and seconds; 0: blocks are named by number."""

    genesis_time: int
    seconds: int

    def block_id(self, number: int, timestamp: int) -> int:
        """What names the beacon block of an execution block."""
        return (timestamp - self.genesis_time) // self.seconds if self.seconds else number


class BeaconNode:
    """One beacon node, over an open HTTP client."""

    def __init__(self, http: HttpClient, url: str, timeout_ms: int) -> None:
        self._http = http
        self._url = url
        self._timeout_ms = timeout_ms
        self._slots: Slots | None = None

    async def blobs(self, number: int, timestamp: int, wanted: list[Hash32]) -> list[bytes]:
        """The blobs with these versioned hashes in an execution block, as far as the node has them. Whether they
        are the right ones is for the caller to check. Raises ``Temporary``."""
        if self._slots is None:
            self._slots = await self._ask_slots()
        query = "&".join(f"versioned_hashes={encoding.data(each)}" for each in wanted)
        path = f"/eth/v1/beacon/blobs/{self._slots.block_id(number, timestamp)}?{query}"
        document = await self._get(path)
        if document is None:
            return []
        try:
            return [encoding.parse_data(blob, BLOB_BYTES) for blob in document["data"]]
        except (Malformed, KeyError, TypeError) as error:
            raise Temporary(f"beacon node: {error}") from None

    async def _ask_slots(self) -> Slots:
        spec = await self._get("/eth/v1/config/spec")
        if spec is None:
            return Slots(0, 0)
        genesis = await self._get("/eth/v1/beacon/genesis")
        try:
            return Slots(int(genesis["data"]["genesis_time"]), int(spec["data"]["SECONDS_PER_SLOT"]))
        except (KeyError, TypeError, ValueError):
            raise Temporary("beacon node: neither genesis time nor length of a slot") from None

    async def _get(self, path: str) -> Any:
        """The document, or None if there is none."""
        try:
            status, body = await self._http.request("GET", self._url + path, self._timeout_ms)
        except Unknown as error:
            raise Temporary(str(error)) from error
        if status == _NOT_FOUND:
            return None
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        if status != _OK or not isinstance(document, dict):
            raise Temporary(f"beacon node: HTTP {status} {body[:200].decode(errors='replace')}")
        return document
