"""The layer ``ethereum`` behind the ``DataAvailability`` port, with the order of the inbox.

Everything that is said about a blob comes from the references of the inbox in blocks that stand now: a reorg takes
references away, and they are missing until they are back. A reader takes the referenced blobs and no others, in the
order of their references, wherever they stand. With Celestia beside it, batches go there first and the inbox keeps
their references; when Celestia fails they go to Ethereum (``da.fallback``).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

from da.celestia.errors import BlobNotFound
from da.cost import Cost, LayerAccount
from da.errors import LayerRefused
from da.ethereum import external, inbox, packing
from da.ethereum.beacon import BeaconNode
from da.ethereum.config import EthereumConfig
from da.ethereum.inbox import Place, Reference
from da.ethereum.l1 import L1Node
from da.ethereum.prover import Prover
from da.ethereum.references import Checkpoint, ReferenceIndex
from da.ethereum.sender import Landed, Sender
from da.fallback import Fallback, FallbackConfig
from sequencer.core.errors import Malformed, SequencerError, Temporary
from sequencer.core.keccak import keccak256
from sequencer.core.ports import BlobRef, BlobStatus, DaLimits, DataAvailability
from sequencer.core.types import ZERO_HASH, Address, Hash32

LAYER: Final = "ethereum"
UNIT: Final = "wei"
NOT_OURS: Final = b"\xff"
"""Stands for referenced bytes that cannot be a blob of ours: no frame begins like this, so readers count garbage."""


class EthereumLayer:
    """One inbox on one chain. Without a ``sender`` it only reads; ``celestia`` reads what is referenced there."""

    def __init__(
        self,
        *,
        config: EthereumConfig,
        l1: L1Node,
        beacon: BeaconNode,
        inbox_address: Address,
        start_block: int,
        prover: Prover,
        clock_ms: Callable[[], int],
        sender: Sender | None = None,
        celestia: DataAvailability | None = None,
        fallback: FallbackConfig | None = None,
    ) -> None:
        self._config = config
        self._l1 = l1
        self._beacon = beacon
        self._inbox = inbox_address
        self._start_block = start_block
        self._prover = prover
        self._clock_ms = clock_ms
        self._sender = sender
        self._celestia = celestia
        places = [celestia.layer] if celestia else []
        places += [LAYER, "calldata"] if config.data == "auto" else [LAYER]
        self._fallback = Fallback(places, fallback or FallbackConfig())
        self._index: ReferenceIndex | None = None
        self._refreshed_ms = 0
        self._refreshing = asyncio.Lock()

    @property
    def layer(self) -> str:
        """``ethereum``."""
        return LAYER

    def limits(self) -> DaLimits:
        """What a blob holds; a calldata transaction of 128 KiB holds as much."""
        return DaLimits(packing.CAPACITY_BYTES)

    def commitment(self, blob: bytes) -> bytes:
        """The versioned hash of the blob that carries it, or keccak256 where only calldata is used."""
        if self._config.data == "calldata":
            return keccak256(blob)
        return self._prover.versioned_hash(packing.pack(blob))

    async def submit(self, blobs: Sequence[bytes]) -> list[BlobRef]:
        """Publish blobs that belong to no batch."""
        return await self.submit_batch(ZERO_HASH, blobs)

    async def submit_batch(self, header_hash: Hash32, blobs: Sequence[bytes]) -> list[BlobRef]:
        """Publish and reference; returns once everything stands in blocks."""
        if self._sender is None:
            raise LayerRefused("ethereum: no key to post with")
        try:
            landed = await self._post(self._sender, header_hash, blobs)
        except SequencerError:
            self._fallback.failed()
            raise
        self._fallback.succeeded()
        self._refreshed_ms = 0
        return [BlobRef(LAYER, place.block_number, place.commitment) for place in landed]

    async def _post(self, sender: Sender, header_hash: Hash32, blobs: Sequence[bytes]) -> list[Landed]:
        """To where the fallback chain stands."""
        place = self._fallback.place
        if self._celestia is None or place != self._celestia.layer:
            return await sender.post(header_hash, blobs, "calldata" if place == "calldata" else self._config.data)
        refs = await external.publish(self._celestia, blobs, self._config.poll_interval_ms)
        stands: dict[int, list[Hash32]] = {}
        for ref in refs:
            stands.setdefault(ref.height, []).append(Hash32(ref.commitment))
        landed = {place.commitment: place for place in await sender.post_references(header_hash, stands)}
        return [landed[Hash32(ref.commitment)] for ref in refs]

    async def find(self, commitments: Sequence[bytes], from_height: int) -> list[BlobRef | None]:
        """By the references in blocks that stand now."""
        references = await self._references(from_height)
        found: dict[bytes, BlobRef] = {}
        for reference in references:
            found.setdefault(reference.commitment, _ref(reference))
        return [found.get(wanted) for wanted in commitments]

    async def find_batch(self, header_hash: Hash32, blobs: Sequence[bytes], from_height: int) -> list[BlobRef | None]:
        """As ``find``, whether they were posted as blobs or as calldata."""
        references = [each for each in await self._references(from_height) if each.header_hash == header_hash]
        if not references:
            return [None] * len(blobs)
        found: dict[bytes, BlobRef] = {}
        for reference in references:
            found.setdefault(reference.commitment, _ref(reference))
        return [self._as_it_is(found, blob) or await self._as_blob(found, blob) for blob in blobs]

    async def status(self, ref: BlobRef) -> BlobStatus:
        """By the block that the reference stands in."""
        index = await self._refresh()
        reference = index.at(ref.height, ref.commitment) or await self._older(index, ref)
        if reference is None:
            return BlobStatus.MISSING
        return BlobStatus.FINAL if ref.height <= index.finalized else BlobStatus.INCLUDED

    async def fetch(self, ref: BlobRef) -> bytes:
        """The bytes, checked against the commitment."""
        index = await self._refresh()
        reference = index.at(ref.height, ref.commitment) or await self._older(index, ref)
        if reference is None:
            raise Temporary(f"ethereum: nothing is referenced there in block {ref.height}")
        return await self._data(reference)

    async def head(self) -> int:
        """The newest block."""
        return (await self._refresh()).top.number

    async def blobs(self, from_height: int) -> AsyncIterator[tuple[BlobRef, bytes]]:
        """Everything referenced from ``from_height`` to the newest block at this moment."""
        for reference in await self._references(max(from_height, self._start_block)):
            yield _ref(reference), await self._data(reference)

    async def cost(self, refs: Sequence[BlobRef], sizes: Sequence[int]) -> Cost:  # noqa: ARG002 - the port's
        """What the transactions of these references have paid."""
        index = await self._refresh()
        references = [index.at(ref.height, ref.commitment) for ref in refs]
        hashes = {reference.transaction_hash for reference in references if reference}
        receipts = [await self._l1.receipt(each) for each in hashes]
        return Cost(sum(receipt.fee_wei for receipt in receipts if receipt), UNIT)

    async def accounts(self) -> list[LayerAccount]:
        """The one that posts."""
        if self._sender is None:
            return []
        balance = await self._l1.balance(self._sender.address)
        return [LayerAccount("0x" + self._sender.address.hex(), balance, self._config.minimum_balance_wei, UNIT)]

    # ------------------------------------------------------------------------------------- following the chain

    async def _refresh(self) -> ReferenceIndex:
        """The inbox as it stands in the newest block, asked for at most once in a poll interval."""
        async with self._refreshing:
            now_ms = self._clock_ms()
            if self._index is not None and now_ms - self._refreshed_ms < self._config.poll_interval_ms:
                return self._index
            await self._l1.check_network()
            latest = await self._l1.block("latest")
            finalized = await self._l1.block("finalized")
            if latest is None:
                raise Temporary("the L1 node has no block")
            settled = finalized.number if finalized else 0
            if self._index is None:
                self._index = ReferenceIndex(await self._checkpoint(max(min(settled, latest.number - 1), 0)))
            await self._drop_replaced(self._index)
            top = self._index.top
            if latest.number > top.number:
                found = await self._read(top.number + 1, latest.number)
                still = await self._l1.block(latest.number)
                if still is None or still.hash != latest.hash or not await self._stands(top):
                    raise Temporary("the L1 chain moved while it was read")
                self._index.extend(found, Checkpoint(latest.number, latest.hash))
            self._index.settle(settled)
            self._refreshed_ms = now_ms
            return self._index

    async def _drop_replaced(self, index: ReferenceIndex) -> None:
        while not await self._stands(index.top):
            if not index.drop_top():
                self._index = None  # read again from what the node now calls final
                raise Temporary(f"the L1 chain was replaced below block {index.top.number}")

    async def _stands(self, checkpoint: Checkpoint) -> bool:
        block = await self._l1.block(checkpoint.number)
        return block is not None and block.hash == checkpoint.hash

    async def _checkpoint(self, number: int) -> Checkpoint:
        block = await self._l1.block(number)
        if block is None:
            raise Temporary(f"the L1 node lacks block {number}")
        return Checkpoint(number, block.hash)

    async def _references(self, from_block: int) -> list[Reference]:
        """Every reference from a block on; what lies below the index is read again."""
        self._refreshed_ms = 0  # whoever looks for something wants to know what is there now
        index = await self._refresh()
        followed = [each for each in index.references if each.block_number >= from_block]
        start = index.start
        if from_block > start:
            return followed
        return await self._read(max(from_block, self._start_block), start) + followed

    async def _older(self, index: ReferenceIndex, ref: BlobRef) -> Reference | None:
        """A reference in a block below those that the index follows."""
        if ref.height > index.start:
            return None
        found = await self._read(ref.height, ref.height)
        return next((each for each in found if each.commitment == ref.commitment), None)

    async def _read(self, first: int, last: int) -> list[Reference]:
        found: list[Reference] = []
        step = self._config.log_range_blocks
        for start in range(first, last + 1, step):
            found += await self._l1.references(self._inbox, start, min(start + step - 1, last))
        return sorted(found, key=lambda reference: (reference.block_number, reference.log_index))

    # ------------------------------------------------------------------------------------------ reading bytes

    async def _data(self, reference: Reference) -> bytes:
        """The referenced bytes, or ``NOT_OURS``. Raises ``Temporary`` if they should be there and are not."""
        try:
            match reference.place:
                case Place.BLOBS:
                    return packing.unpack(await self._blob(reference))
                case Place.CALLDATA:
                    return await self._calldata(reference)
                case Place.CELESTIA if self._celestia is not None:
                    return await self._celestia.fetch(
                        BlobRef(self._celestia.layer, reference.height, reference.commitment)
                    )
                case Place.CELESTIA:
                    raise LayerRefused("ethereum: a batch stands on celestia; give --celestia-url too")
        except (Malformed, BlobNotFound):
            pass
        return NOT_OURS

    async def _blob(self, reference: Reference) -> bytes:
        block = await self._l1.block("0x" + reference.block_hash.hex())
        if block is None:
            raise Temporary(f"the L1 node lacks block {reference.block_number}")
        for blob in await self._beacon.blobs(block.number, block.timestamp, [reference.commitment]):
            if await asyncio.to_thread(self._prover.versioned_hash, blob) == reference.commitment:
                return blob
        raise Temporary(
            f"the beacon node lacks a blob of block {reference.block_number}; ask one that keeps older blobs"
        )

    async def _calldata(self, reference: Reference) -> bytes:
        call = await self._l1.call_of(reference.transaction_hash)
        if call is None:
            raise Temporary(f"the L1 node lacks transaction 0x{reference.transaction_hash.hex()}")
        receiver, payload = call
        data = inbox.read_calldata(payload)
        if receiver != self._inbox or keccak256(data) != reference.commitment:
            raise Malformed("inbox: the data is not in the transaction")
        return data

    def _as_it_is(self, found: Mapping[bytes, BlobRef], data: bytes) -> BlobRef | None:
        """Posted as calldata or on Celestia."""
        there = found.get(keccak256(data))
        return there or (found.get(self._celestia.commitment(data)) if self._celestia else None)

    async def _as_blob(self, found: dict[bytes, BlobRef], data: bytes) -> BlobRef | None:
        wanted = await asyncio.to_thread(self._prover.versioned_hash, packing.pack(data))
        return found.get(wanted)


def _ref(reference: Reference) -> BlobRef:
    return BlobRef(LAYER, reference.block_number, reference.commitment)
