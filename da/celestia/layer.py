"""The layer ``celestia`` behind the ``DataAvailability`` port.

A height is final as soon as it exists (CometBFT), so a blob is missing or final and nothing is ever reorged. But
no answer is taken at its word: a submission that succeeds may land later, twice or never, so the height it names
is only where reading back begins; and every commitment is computed from the bytes that come back.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final, TypeVar

from da.celestia import wire
from da.celestia.commitment import commitment
from da.celestia.config import CelestiaConfig
from da.celestia.errors import BlobNotFound, PriceRefused
from da.celestia.fees import GasPrice, gas
from da.celestia.namespace import Namespace
from da.celestia.rpc import NodeRpc
from da.celestia.wire import CelestiaBlob
from da.cost import Cost, LayerAccount
from da.errors import LayerRefused, TooLarge
from sequencer.core.errors import Malformed, SequencerError, Temporary, Unknown
from sequencer.core.ports import BlobRef, BlobStatus, DaLimits

_T = TypeVar("_T")

LAYER: Final = "celestia"
_HEIGHTS_AT_ONCE: Final = 4
"""Heights asked for side by side: few, because each may hold a whole block of other people's blobs."""


class CelestiaLayer:
    """One namespace of one network, through one node. ``rpc`` must be entered; ``network`` is its chain id, or
    empty for any; nothing below ``start_height`` is ours."""

    def __init__(
        self, config: CelestiaConfig, namespace: Namespace, rpc: NodeRpc, *, network: str = "", start_height: int = 1
    ) -> None:
        self._config = config
        self._namespace = namespace
        self._rpc = rpc
        self._network = network
        self._start_height = max(1, start_height)
        self._price = GasPrice(config)
        self._purses = {account: asyncio.Lock() for account in config.accounts or ("",)}
        self._turn = 0

    @property
    def layer(self) -> str:
        """``celestia``."""
        return LAYER

    def limits(self) -> DaLimits:
        """As configured; the network takes 8 MiB in one transaction."""
        return DaLimits(self._config.blob_size_bytes)

    def commitment(self, blob: bytes) -> bytes:
        """The share commitment."""
        return commitment(self._namespace, blob)

    async def submit(self, blobs: Sequence[bytes]) -> list[BlobRef]:
        """Publish in as few transactions as the size limit allows, those of different accounts side by side."""
        groups = list(_groups(blobs, self._config.max_tx_bytes))
        purses = list(self._purses)
        turns = [purses[(self._turn + n) % len(purses)] for n in range(len(groups))]
        self._turn = (self._turn + len(groups)) % len(purses)
        outcomes = await asyncio.gather(
            *(self._submit_from(purse, group) for purse, group in zip(turns, groups, strict=True)),
            return_exceptions=True,
        )
        return [ref for refs in _all_or_error(outcomes) for ref in refs]

    async def find(self, commitments: Sequence[bytes], from_height: int) -> list[BlobRef | None]:
        """Every height up to the newest is read until all are found."""
        found: dict[bytes, BlobRef] = {}
        missing = set(commitments)
        async for height, blobs in self._heights(from_height):
            for blob in blobs:
                if blob.commitment in missing:
                    found[blob.commitment] = BlobRef(LAYER, height, blob.commitment)
                    missing.discard(blob.commitment)
            if not missing:
                break
        return [found.get(wanted) for wanted in commitments]

    async def status(self, ref: BlobRef) -> BlobStatus:
        """Final if it is there. A height beyond the node's newest is not asked for: nodes wait for it to come."""
        if ref.height > await self.head():
            return BlobStatus.MISSING
        try:
            await self._get(ref)
        except BlobNotFound:
            return BlobStatus.MISSING
        return BlobStatus.FINAL

    async def fetch(self, ref: BlobRef) -> bytes:
        """The blob's bytes, which are those of its commitment or ``Temporary`` is raised."""
        return (await self._get(ref)).data

    async def head(self) -> int:
        """The newest height that the node has. Raises ``LayerRefused`` if it follows another network."""
        head = await self._read("header.LocalHead", [], wire.parse_head)
        if self._network not in ("", head.network):
            raise LayerRefused(f"celestia: the node follows {head.network!r}, the chain is on {self._network!r}")
        return head.height

    async def network(self) -> str:
        """The chain id of the network that the node follows."""
        return (await self._read("header.LocalHead", [], wire.parse_head)).network

    async def blobs(self, from_height: int) -> AsyncIterator[tuple[BlobRef, bytes]]:
        """Every blob of the namespace from ``from_height`` to the newest height at this moment."""
        async for height, blobs in self._heights(max(from_height, self._start_height)):
            for blob in blobs:
                yield BlobRef(LAYER, height, blob.commitment), blob.data

    async def cost(self, refs: Sequence[BlobRef], sizes: Sequence[int]) -> Cost:
        """About what was paid: the gas of one transaction a height at the price offered now."""
        by_height: dict[int, list[int]] = {}
        for ref, size in zip(refs, sizes, strict=True):
            by_height.setdefault(ref.height, []).append(size)
        return Cost(round(sum(map(gas, by_height.values())) * self._price.offer), wire.UNIT)

    async def accounts(self) -> list[LayerAccount]:
        """The paying accounts; the node's own answers to its address."""
        purses = []
        for account in self._purses:
            address = account or str(await self._read("state.AccountAddress", [], _text))
            balance = await self._read("state.BalanceForAddress", [address], wire.parse_balance)
            purses.append(LayerAccount(address, balance, self._config.minimum_balance_utia, wire.UNIT))
        return purses

    async def _submit_from(self, purse: str, group: Sequence[bytes]) -> list[BlobRef]:
        """One transaction, once those of the same account before it are answered: its sequence is one line."""
        async with self._purses[purse]:
            return await self._submit_group(purse, group)

    async def _submit_group(self, purse: str, group: Sequence[bytes]) -> list[BlobRef]:
        params = wire.submit_params(self._namespace, group, self._price.options(purse))
        try:
            answer = await self._rpc.write("blob.Submit", params, self._config.submit_timeout_ms)
            height = wire.number(answer)
        except Malformed as error:
            raise Unknown(f"blob.Submit: {error}") from None
        except PriceRefused as error:
            if not self._price.raised():
                raise LayerRefused(f"{error}; celestia.max_gas_price allows no more") from error
            raise
        except Unknown:
            self._price.raised()  # a price that is too low is one reason to wait in vain
            raise
        except TooLarge:
            if len(group) == 1:
                raise
            return await self._submit_halves(purse, group)
        self._price.succeeded()
        return [BlobRef(LAYER, height, self.commitment(blob)) for blob in group]

    async def _submit_halves(self, purse: str, group: Sequence[bytes]) -> list[BlobRef]:
        middle = len(group) // 2
        first = await self._submit_group(purse, group[:middle])
        try:
            return first + await self._submit_group(purse, group[middle:])
        except SequencerError as error:
            raise Unknown(f"{error}, after a part was published") from error

    async def _get(self, ref: BlobRef) -> CelestiaBlob:
        params = [ref.height, wire.encode(self._namespace), wire.encode(ref.commitment)]
        blob = await self._read("blob.Get", params, lambda answer: wire.parse_blob(answer, self._namespace))
        if blob is None or blob.commitment != ref.commitment:
            raise Temporary(f"celestia: the node gives another blob than asked for at height {ref.height}")
        return blob

    async def _heights(self, from_height: int) -> AsyncIterator[tuple[int, list[CelestiaBlob]]]:
        """The blobs of each height up to the newest at this moment, in order."""
        head = await self.head()
        for start in range(max(from_height, 1), head + 1, _HEIGHTS_AT_ONCE):
            heights = range(start, min(start + _HEIGHTS_AT_ONCE, head + 1))
            for height, blobs in zip(heights, await asyncio.gather(*map(self._at, heights)), strict=True):
                yield height, blobs

    async def _at(self, height: int) -> list[CelestiaBlob]:
        try:
            return await self._read(
                "blob.GetAll",
                [height, [wire.encode(self._namespace)]],
                lambda answer: wire.parse_blobs(answer, self._namespace),
            )
        except BlobNotFound:  # how nodes before v0.15 say that there is none
            return []

    async def _read(self, method: str, params: Sequence[wire.Json], parse: Callable[[wire.Json], _T]) -> _T:
        answer = await self._rpc.read(method, params, self._config.read_timeout_ms)
        try:
            return parse(answer)
        except Malformed as error:
            raise Temporary(f"{method}: {error}") from error


def _groups(blobs: Sequence[bytes], max_bytes: int) -> Iterator[list[bytes]]:
    """The blobs in order, as many together as fit into one transaction."""
    group: list[bytes] = []
    size = 0
    for blob in blobs:
        if group and size + len(blob) > max_bytes:
            yield group
            group, size = [], 0
        group.append(blob)
        size += len(blob)
    if group:
        yield group


def _all_or_error(outcomes: "Sequence[list[BlobRef] | BaseException]") -> list[list[BlobRef]]:
    """What all transactions gave. If one failed while another may have been published, nobody knows: ``Unknown``."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    done = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    if not errors:
        return done
    for error in errors:
        if not isinstance(error, SequencerError):
            raise error
    first = errors[0]
    if done or any(isinstance(error, Unknown) for error in errors):
        raise Unknown(f"celestia: {first}") from first
    raise first


def _text(answer: wire.Json) -> str:
    if not isinstance(answer, str):
        raise Malformed("celestia: text is expected")
    return answer
