"""Ethereum's JSON-RPC through web3: the one module that knows the library.

Answers are parsed here into what the rest of the layer uses, and every failure leaves as one of our errors: a refusal
of the node as ``NodeRefused``, no answer as ``Temporary`` for reads and ``Unknown`` for sending.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar, cast

import aiohttp
from web3 import AsyncHTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from da.errors import LayerRefused
from da.ethereum import inbox
from da.ethereum.fees import Market
from da.ethereum.inbox import Reference
from sequencer.core import encoding
from sequencer.core.errors import Malformed, SequencerError, Temporary, Unknown
from sequencer.core.types import UINT64_MAX, Address, Hash32

_T = TypeVar("_T")
_CONNECT_S: Final = 5.0
_ABSENT_TAG: Final = ("not found", "unknown block")
"""How nodes say that nothing is finalized yet."""


class NodeRefused(SequencerError):
    """The node's own error: the request arrived and was refused."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class L1Block:
    """A block header, as far as it matters here."""

    number: int
    hash: Hash32
    timestamp: int


@dataclass(frozen=True, slots=True)
class L1Receipt:
    """What became of a transaction that is in a block. Prices in wei per gas."""

    block_number: int
    succeeded: bool
    gas_used: int
    gas_price: int
    blob_gas_used: int
    blob_gas_price: int
    contract: Address | None

    @property
    def fee_wei(self) -> int:
        """What it cost."""
        return self.gas_used * self.gas_price + self.blob_gas_used * self.blob_gas_price


class L1Node:
    """One node. An async context manager. With ``chain_id``, a node of another network is refused."""

    def __init__(self, url: str, timeout_ms: int, chain_id: int | None = None) -> None:
        self._chain_id = chain_id
        self._timeout_s = timeout_ms / 1000
        timeout = aiohttp.ClientTimeout(total=self._timeout_s, connect=min(_CONNECT_S, self._timeout_s))
        self._provider = AsyncHTTPProvider(url, {"timeout": timeout}, exception_retry_configuration=None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._provider.disconnect()

    async def chain_id(self) -> int:
        """Of the network."""
        return await self._read("eth_chainId", [], _quantity)

    async def check_network(self) -> None:
        """Raises ``LayerRefused`` if the node follows another network. Asks once."""
        if self._chain_id is not None:
            found = await self.chain_id()
            if found != self._chain_id:
                raise LayerRefused(f"the L1 node is of chain {found}, the rollup settles on chain {self._chain_id}")
            self._chain_id = None

    async def block(self, which: int | str) -> L1Block | None:
        """A block by number, hash or tag; None if there is none."""
        by_hash = isinstance(which, str) and len(which) == 66
        name = which if isinstance(which, str) else encoding.quantity(which)
        method = "eth_getBlockByHash" if by_hash else "eth_getBlockByNumber"
        return await self._read(method, [name, False], _parse_block, absent=_ABSENT_TAG)

    async def market(self) -> Market:
        """What the next block asks."""
        latest = await self._read("eth_getBlockByNumber", ["latest", False], _parse_base_fee)
        tip = await self._read("eth_maxPriorityFeePerGas", [], _quantity)
        blob_base_fee = await self._read("eth_blobBaseFee", [], _quantity)
        return Market(latest, tip, blob_base_fee)

    async def nonce(self, address: Address, tag: str) -> int:
        """How many transactions the account has, in blocks (``latest``) or on their way too (``pending``)."""
        return await self._read("eth_getTransactionCount", [encoding.data(address), tag], _quantity)

    async def balance(self, address: Address) -> int:
        """In wei."""
        return await self._read("eth_getBalance", [encoding.data(address), "latest"], _quantity)

    async def code(self, address: Address) -> bytes:
        """Of a contract; empty without one."""
        return await self._read("eth_getCode", [encoding.data(address), "latest"], encoding.parse_data)

    async def references(self, inbox_address: Address, first: int, last: int) -> list[Reference]:
        """Every reference of the inbox in a range of blocks."""
        query = {
            "address": encoding.data(inbox_address),
            "topics": [encoding.data(inbox.REFERENCED_TOPIC)],
            "fromBlock": encoding.quantity(first),
            "toBlock": encoding.quantity(last),
        }
        return await self._read("eth_getLogs", [query], lambda logs: [inbox.parse_event(log) for log in logs])

    async def receipt(self, transaction_hash: Hash32) -> L1Receipt | None:
        """None while the transaction is in no block."""
        return await self._read("eth_getTransactionReceipt", [encoding.data(transaction_hash)], _parse_receipt)

    async def call_of(self, transaction_hash: Hash32) -> tuple[Address | None, bytes] | None:
        """Receiver and calldata of a transaction; None if the node does not know it."""
        return await self._read("eth_getTransactionByHash", [encoding.data(transaction_hash)], _parse_call)

    async def send(self, raw: bytes) -> None:
        """Hand a signed transaction in. Raises ``NodeRefused``, ``Temporary`` if it never left, ``Unknown``."""
        await self._request("eth_sendRawTransaction", [encoding.data(raw)])

    async def _read(
        self, method: str, params: Sequence[Any], parse: Callable[[Any], _T], absent: Sequence[str] = ()
    ) -> _T:
        """The parsed answer; that of null for a refusal with words of ``absent``."""
        try:
            try:
                answer = await self._request(method, params)
            except NodeRefused as refusal:
                if not any(words in str(refusal) for words in absent):
                    raise Temporary(f"{method}: {refusal}") from refusal
                answer = None
            return parse(answer)
        except Unknown as error:
            raise Temporary(str(error)) from error
        except (Malformed, KeyError, TypeError) as error:
            raise Temporary(f"{method}: the L1 node answers with {error}") from error

    async def _request(self, method: str, params: Sequence[Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = cast("dict[str, Any]", await self._provider.make_request(RPCEndpoint(method), list(params)))
        except aiohttp.ClientConnectorError as error:
            raise Temporary(f"{method}: the L1 node cannot be reached") from error
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, Web3Exception) as error:
            raise Unknown(f"{method}: no answer from the L1 node ({type(error).__name__})") from error
        failure = answer.get("error")
        if failure is None:
            return answer.get("result")
        if isinstance(failure, dict):
            raise NodeRefused(int(failure.get("code", 0)), str(failure.get("message", ""))[:300])
        raise NodeRefused(0, str(failure)[:300])


def _quantity(answer: Any) -> int:
    return encoding.parse_quantity(answer)


def _parse_block(answer: Any) -> L1Block | None:
    if answer is None:
        return None
    return L1Block(
        encoding.parse_quantity(answer["number"], UINT64_MAX),
        encoding.parse_hash(answer["hash"]),
        encoding.parse_quantity(answer["timestamp"], UINT64_MAX),
    )


def _parse_base_fee(answer: Any) -> int:
    return encoding.parse_quantity(answer["baseFeePerGas"])


def _parse_receipt(answer: Any) -> L1Receipt | None:
    if answer is None or answer["blockNumber"] is None:
        return None
    contract = answer.get("contractAddress")
    return L1Receipt(
        block_number=encoding.parse_quantity(answer["blockNumber"], UINT64_MAX),
        succeeded=answer["status"] == "0x1",
        gas_used=encoding.parse_quantity(answer["gasUsed"]),
        gas_price=encoding.parse_quantity(answer["effectiveGasPrice"]),
        blob_gas_used=encoding.parse_quantity(answer.get("blobGasUsed") or "0x0"),
        blob_gas_price=encoding.parse_quantity(answer.get("blobGasPrice") or "0x0"),
        contract=encoding.parse_address(contract) if contract else None,
    )


def _parse_call(answer: Any) -> tuple[Address | None, bytes] | None:
    if answer is None:
        return None
    receiver = answer.get("to")
    return (encoding.parse_address(receiver) if receiver else None), encoding.parse_data(answer["input"])
