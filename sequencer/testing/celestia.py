"""A strict celestia-node and its network in memory: what a blob client meets, and every way in which it goes wrong.

It refuses what a real node refuses and answers in the same shapes: positional parameters of exactly the right
number, protocol errors under HTTP 500, application errors under HTTP 200 with code 1 and a text. It has no clock
and no sockets: ``answer`` takes a request body and gives status and body; ``celestia_server`` puts it on a port.

Faults are planned for the submissions to come, one each. Heights pass when a submission lands or when told to.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import orjson

from da.celestia import shares
from da.celestia.commitment import commitment
from da.celestia.fees import MINIMUM_GAS_PRICE, gas
from da.celestia.namespace import SIZE, Namespace
from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.testing import celestia_params as params
from sequencer.testing.celestia_params import StoredBlob

WRITER: Final = "writer"
"""The token that may post."""
READER: Final = "reader"
"""The token that may only read."""
_MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_MAX_TX_BYTES: Final = 8 * 1024 * 1024
_RESERVED_END: Final = bytes(SIZE - 10) + (0x100).to_bytes(10, "big")


class Fault(Enum):
    """What goes wrong with one ``blob.Submit``."""

    NONE = "none"
    TIMEOUT_BEFORE = "timed out, and it never lands"
    TIMEOUT_AFTER = "timed out, but it has landed"
    TIMEOUT_LATE = "timed out, and it lands with a later height"
    SILENCE_BEFORE = "no answer, and it never lands"
    SILENCE_AFTER = "no answer, but it has landed"
    SEQUENCE = "incorrect account sequence"
    IN_MEMPOOL = "tx already in mempool; it lands with a later height"
    NEVER_LANDS = "a height is given, but the blobs are not there"
    LANDS_LATER = "a height is given, but the blobs land above it"
    LANDS_TWICE = "the blobs land at two heights"
    LOW_FEE = "insufficient fee"
    NO_FUNDS = "insufficient funds"
    TOO_LARGE = "transaction size exceeds maximum allowed limit"
    BUSY = "HTTP 503"
    RATE_LIMIT = "HTTP 429"
    PANIC = "HTTP 500 with code 0, and it never lands"
    GATEWAY = "HTTP 502 without JSON, but it has landed"


class Empty(Enum):
    """How ``blob.GetAll`` says that there is no blob; it differs between versions of the node."""

    NULL = "null"
    LIST = "list"
    ERROR = "error"


@dataclass(slots=True)
class Account:
    """A purse in the node's keyring."""

    balance: int = 10**12
    sequence: int = 0
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes over the wire. Without a body the connection falls silent until the client gives up."""

    status: int
    body: bytes | None


class _AppError(Exception):
    """Code 1 under HTTP 200."""


class _ProtocolError(Exception):
    """A go-jsonrpc error, under an HTTP status of its own."""

    def __init__(self, code: int, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class _Raw(Exception):
    """An answer that is not JSON-RPC, or none at all."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class FakeCelestia:
    """One node that is its whole network. ``instant``: a submission makes its own height; otherwise it waits for
    ``advance``, and a second one of the same account meanwhile has a wrong sequence."""

    def __init__(self, *, network: str = "fake-celestia", instant: bool = True, start_height: int = 1) -> None:
        self.network = network
        self.instant = instant
        self.empty = Empty.NULL
        self.accounts = {"celestia1default": Account()}
        self.faults: deque[Fault] = deque()
        self.down = False
        """While true nothing is answered."""
        self.tail = 1
        """Heights below it are pruned."""
        self.minimum_gas_price = MINIMUM_GAS_PRICE
        self.tokens = {WRITER: ("read", "write"), READER: ("read",)}
        self.requests: list[str] = []
        """Every method that was called."""
        self._blocks: list[list[StoredBlob]] = [[] for _ in range(start_height)]
        self._pool: list[list[StoredBlob]] = []
        self._height_came = asyncio.Condition()

    # ------------------------------------------------------------------------------------- what tests do

    @property
    def height(self) -> int:
        """The newest height."""
        return len(self._blocks)

    def plan(self, faults: Iterable[Fault]) -> None:
        """The next submissions end so."""
        self.faults.extend(faults)

    def advance(self, heights: int = 1) -> None:
        """Heights pass; what waits in the pool lands in the first of them."""
        for _ in range(heights):
            self._blocks.append([blob for blobs in self._pool for blob in blobs])
            self._pool = []

    async def tick(self) -> None:
        """One height passes, and whoever waits for it is told."""
        async with self._height_came:
            self.advance()
            self._height_came.notify_all()

    def inject(self, namespace: bytes, data: bytes, *, share_version: int = 0) -> None:
        """Somebody else's blob lands. One of a share version that nobody knows has an invented commitment."""
        signer = bytes(20) if share_version else b""
        known = share_version in shares.VERSIONS
        named = commitment(Namespace(namespace), data, share_version, signer) if known else keccak256(data)
        self._blocks.append([StoredBlob(namespace, data, share_version, signer, named)])

    def contents(self) -> list[tuple[int, StoredBlob]]:
        """Every blob with its height."""
        return [(height, blob) for height, blobs in enumerate(self._blocks, start=1) for blob in blobs]

    # ------------------------------------------------------------------------------------------ transport

    async def answer(self, body: bytes, token: str | None) -> Answer:
        """The node's answer to one HTTP POST. ``token`` is what stands behind ``Bearer``."""
        if self.down:
            return Answer(0, None)
        if token is not None and token not in self.tokens:
            return Answer(401, b"")
        if len(body) > _MAX_BODY_BYTES:
            return Answer(413, b"request body too large")
        permissions = self.tokens[token] if token is not None else ()
        try:
            try:
                request = orjson.loads(body)
            except orjson.JSONDecodeError as error:
                raise _ProtocolError(-32700, f"unmarshaling request: {error}") from None
            if isinstance(request, list):
                return Answer(200, orjson.dumps([(await self._one(item, permissions))[1] for item in request]))
            status, answer = await self._one(request, permissions)
            return Answer(status, orjson.dumps(answer))
        except _ProtocolError as error:
            return Answer(error.status, orjson.dumps(_error(None, error.code, str(error))))
        except _Raw as raw:
            return raw.answer

    async def _one(self, request: Any, permissions: tuple[str, ...]) -> tuple[int, dict[str, Any]]:
        request_id = request.get("id") if isinstance(request, dict) else None
        try:
            result = await self._dispatch(request, permissions)
        except _ProtocolError as error:
            return error.status, _error(request_id, error.code, str(error))
        except _AppError as error:
            return 200, _error(request_id, 1, str(error))
        return 200, {"jsonrpc": "2.0", "id": request_id, "result": result}

    async def _dispatch(self, request: Any, permissions: tuple[str, ...]) -> Any:
        if not isinstance(request, dict) or request.get("jsonrpc") != "2.0" or "id" not in request:
            raise _ProtocolError(-32600, "invalid request", status=400)
        name = request.get("method")
        method = _METHODS.get(name) if isinstance(name, str) else None
        if method is None:
            raise _ProtocolError(-32601, f"method '{name}' not found")
        self.requests.append(str(name))
        if method.permission not in permissions:
            short = str(name).split(".")[1]
            raise _AppError(f"missing permission to invoke '{short}' (need '{method.permission}')")
        given = request.get("params", [])
        if not isinstance(given, list):
            raise _ProtocolError(-32700, f"unmarshaling params for '{name}': not an array")
        if len(given) != len(method.kinds):
            raise _ProtocolError(-32602, f"wrong param count (method '{name}'): {len(given)} != {len(method.kinds)}")
        try:
            values = [decode(value) for decode, value in zip(method.kinds, given, strict=True)]
        except Malformed as error:
            raise _ProtocolError(-32700, f"unmarshaling params for '{name}' (param: {error})") from None
        return await method.run(self, *values)

    # -------------------------------------------------------------------------------------------- methods

    async def submit(self, blobs: list[StoredBlob], options: Mapping[str, Any] | None) -> int:
        """``blob.Submit``."""
        if options is None:
            raise _ProtocolError(0, "panic: invalid memory address or nil pointer dereference")
        fault = self.faults.popleft() if self.faults else Fault.NONE
        self._refuse_early(fault)
        if not blobs:
            raise _AppError("state: no blobs provided")
        if fault is Fault.TOO_LARGE or sum(len(blob.data) for blob in blobs) > _MAX_TX_BYTES:
            raise _AppError("transaction size exceeds maximum allowed limit")
        if any(blob.namespace < _RESERVED_END for blob in blobs):
            raise _AppError("invalid user namespace")
        account = self._charge(blobs, options, fault)
        return await self._land(blobs, account, fault)

    async def get(self, height: int, namespace: bytes, wanted: bytes) -> dict[str, Any]:
        """``blob.Get``."""
        for index, blob in enumerate(await self._block(height)):
            if blob.namespace == namespace and blob.commitment == wanted:
                return blob.to_json(index)
        raise _AppError("blob: not found")

    async def get_all(self, height: int, namespaces: list[bytes]) -> list[dict[str, Any]] | None:
        """``blob.GetAll``."""
        blobs = await self._block(height)
        found = [
            blob.to_json(index)
            for namespace in namespaces
            for index, blob in enumerate(blobs)
            if blob.namespace == namespace
        ]
        if found or self.empty is Empty.LIST:
            return found
        if self.empty is Empty.ERROR:
            raise _AppError("blob: not found")
        return None

    async def local_head(self) -> dict[str, Any]:
        """``header.LocalHead`` and ``header.NetworkHead``."""
        return self._header(self.height)

    async def header_at(self, height: int) -> dict[str, Any]:
        """``header.GetByHeight``."""
        await self._block(height)
        return self._header(height)

    async def account_address(self) -> str:
        """``state.AccountAddress``: of the node's own key."""
        return next(iter(self.accounts))

    async def balance(self, address: str) -> dict[str, str]:
        """``state.BalanceForAddress``."""
        return {"denom": "utia", "amount": str(self.accounts.get(address, Account(balance=0)).balance)}

    # --------------------------------------------------------------------------------------------- inside

    def _refuse_early(self, fault: Fault) -> None:
        """What ends a submission before the node looks at it."""
        match fault:
            case Fault.BUSY:
                raise _Raw(Answer(503, b"server busy, try again later"))
            case Fault.RATE_LIMIT:
                raise _Raw(Answer(429, b"rate limit exceeded"))
            case Fault.PANIC:
                raise _ProtocolError(0, "panic: runtime error")
            case Fault.SILENCE_BEFORE:
                raise _Raw(Answer(0, None))
            case Fault.TIMEOUT_BEFORE:
                raise _AppError("timed out waiting for tx to be included in a block")
            case Fault.SEQUENCE:
                raise _AppError("broadcast tx error: incorrect account sequence: expected 7, got 6")
            case Fault.NO_FUNDS:
                raise _AppError("spendable balance is smaller than fee: insufficient funds")

    def _charge(self, blobs: list[StoredBlob], options: Mapping[str, Any], fault: Fault) -> Account:
        address = options.get("signer_address") or next(iter(self.accounts))
        account = self.accounts.get(address)
        if account is None:
            raise _AppError(f"{address}.info: key not found")
        cap = options.get("max_gas_price") or 100 * MINIMUM_GAS_PRICE
        price = options["gas_price"] if options.get("is_gas_price_set") else self.minimum_gas_price
        if price > cap:
            raise _AppError("state: estimated gas price exceeds max gas price in tx config")
        if fault is Fault.LOW_FEE or price < self.minimum_gas_price:
            raise _AppError("insufficient fees; got: 1utia required: 2utia: insufficient fee")
        if account.in_flight:
            raise _AppError(f"incorrect account sequence: expected {account.sequence + 1}, got {account.sequence}")
        fee = round(gas([len(blob.data) for blob in blobs]) * price)
        if account.balance < fee:
            raise _AppError("insufficient funds")
        account.balance -= fee
        account.sequence += 1
        return account

    async def _land(self, blobs: list[StoredBlob], account: Account, fault: Fault) -> int:
        if fault is Fault.NEVER_LANDS:
            self.advance()
            return self.height
        if fault is Fault.LANDS_LATER:
            self.advance()
            self._pool.append(blobs)
            return self.height
        self._pool.append(blobs)
        if fault is Fault.TIMEOUT_LATE:
            raise _AppError("timed out waiting for tx to be included in a block")
        if fault is Fault.IN_MEMPOOL:
            raise _AppError("tx already in mempool")
        if self.instant:
            self.advance()
        else:
            await self._included(account)
        height = self.height
        match fault:
            case Fault.LANDS_TWICE:
                self._blocks.append(list(blobs))
            case Fault.TIMEOUT_AFTER:
                raise _AppError("timed out waiting for tx to be included in a block")
            case Fault.SILENCE_AFTER:
                raise _Raw(Answer(0, None))
            case Fault.GATEWAY:
                raise _Raw(Answer(502, b"<html>bad gateway</html>"))
        return height

    async def _included(self, account: Account) -> None:
        account.in_flight += 1
        try:
            height = self.height
            async with self._height_came:
                await self._height_came.wait_for(lambda: self.height > height)
        finally:
            account.in_flight -= 1

    async def _block(self, height: int) -> list[StoredBlob]:
        if height == 0:
            raise _AppError("height is equal to 0")
        if height < self.tail:
            raise _AppError(f"requested header ({height}) is below Tail ({self.tail})")
        if height > self.height + 1:
            raise _AppError(
                f"header: given height is from the future: networkHeight: {self.height}, requestedHeight: {height}"
            )
        if height == self.height + 1:
            raise _Raw(Answer(0, None))  # a real node waits for it
        return self._blocks[height - 1]

    def _header(self, height: int) -> dict[str, Any]:
        data_hash = keccak256(b"".join(blob.commitment for blob in self._blocks[height - 1])).hex().upper()
        header = {"version": {"block": "11", "app": "9"}, "chain_id": self.network, "height": str(height)}
        return {
            "header": header | {"time": "2026-01-01T00:00:00Z", "data_hash": data_hash},
            "commit": {"height": str(height), "round": 0, "signatures": []},
            "validator_set": {"validators": []},
            "dah": {"row_roots": [], "column_roots": []},
        }


@dataclass(frozen=True, slots=True)
class _Method:
    permission: str
    run: Callable[..., Any]
    kinds: tuple[Callable[[Any], Any], ...] = field(default=())


_METHODS: Final = {
    "blob.Submit": _Method("write", FakeCelestia.submit, (params.blobs, params.options)),
    "blob.Get": _Method("read", FakeCelestia.get, (params.height, params.namespace, params.bytes_)),
    "blob.GetAll": _Method("read", FakeCelestia.get_all, (params.height, params.namespaces)),
    "header.LocalHead": _Method("read", FakeCelestia.local_head),
    "header.NetworkHead": _Method("read", FakeCelestia.local_head),
    "header.GetByHeight": _Method("read", FakeCelestia.header_at, (params.height,)),
    "state.AccountAddress": _Method("read", FakeCelestia.account_address),
    "state.BalanceForAddress": _Method("read", FakeCelestia.balance, (params.text,)),
}


def _error(request_id: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
