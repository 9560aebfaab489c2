"""Sees postings into blocks: one line of nonces, written down before anything is sent, bumped until included.

The account is ours alone. A nonce that somebody else used would let two posters replace each other's transactions
for ever, so the first sign of one stops posting with ``AnotherPoster``, and the operator decides.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

import structlog

from da.errors import LayerRefused, TooLarge
from da.ethereum import fees as fee_rules
from da.ethereum import inbox
from da.ethereum.config import DataKind, EthereumConfig
from da.ethereum.fees import Market
from da.ethereum.inbox import Place
from da.ethereum.journal import Journal, Sent
from da.ethereum.l1 import L1Node, L1Receipt, NodeRefused
from da.ethereum.prover import Prover
from da.ethereum.refusals import Refusal, meaning
from da.ethereum.transaction import Call, Fees, Sidecar, sign
from sequencer.core.errors import SequencerError, Temporary, Unknown
from sequencer.core.keccak import keccak256
from sequencer.core.ports import Signer
from sequencer.core.types import Address, Hash32

_log = structlog.get_logger()

_FIRST_LOOKS: Final = 3
"""How often a key without history is looked at, a poll apart, before it is used."""
_RAISES: Final = 12
"""Offers made in one go while the node calls them too low."""
_ABSENT_POLLS: Final = 5
"""Polls in which a used nonce may lack its receipt before it counts as somebody else's."""


class AnotherPoster(LayerRefused):
    """The key's account has transactions that this node did not send."""


@dataclass(frozen=True, slots=True)
class Landed:
    """Where one posted piece stands."""

    commitment: Hash32
    block_number: int


@dataclass(frozen=True, slots=True)
class _Draft:
    """What one transaction of a posting says and carries."""

    place: Place
    data: bytes
    commitments: tuple[Hash32, ...]
    sidecars: tuple[Sidecar, ...] = ()


MakeDraft: TypeAlias = Callable[[], Awaitable[_Draft]]


@dataclass(slots=True)
class _Part:
    """One transaction of a posting."""

    call: Call
    sidecars: tuple[Sidecar, ...]
    commitments: tuple[Hash32, ...]
    sent: Sent
    offered_ms: int
    """When the present fees were offered first."""
    told_ms: int
    """When the node was told last."""
    receipt: L1Receipt | None = None
    absent_polls: int = 0


class Sender:
    """One account on one chain. One posting at a time."""

    def __init__(
        self,
        *,
        l1: L1Node,
        chain_id: int,
        inbox_address: Address,
        signer: Signer,
        prover: Prover,
        journal: Journal,
        config: EthereumConfig,
        clock_ms: Callable[[], int],
    ) -> None:
        self._l1 = l1
        self._chain_id = chain_id
        self._inbox = inbox_address
        self._signer = signer
        self._prover = prover
        self._journal = journal
        self._config = config
        self._clock_ms = clock_ms
        self._lock = asyncio.Lock()
        self._expected_nonce: int | None = None

    @property
    def address(self) -> Address:
        """The account that pays."""
        return self._signer.address

    async def post(self, header_hash: Hash32, datas: Sequence[bytes], data: DataKind) -> list[Landed]:
        """Publish ``datas`` as ``data`` says and reference them, in order. Returns once all stand in blocks. Raises
        ``Temporary`` or ``LayerRefused`` if certainly nothing was published, ``Unknown`` otherwise."""
        async with self._lock:
            nonce = await self.check_ownership()
            market = await self._l1.market()
            place = await self._place(header_hash, datas, data, market, nonce)
            size = self._config.max_blobs if place is Place.BLOBS else 1
            groups = [datas[at : at + size] for at in range(0, len(datas), size)]
            drafts = [partial(self._draft, header_hash, place, group) for group in groups]
            return await self._run(header_hash, drafts, nonce, market, len(datas))

    async def post_references(self, header_hash: Hash32, stands: Mapping[int, Sequence[Hash32]]) -> list[Landed]:
        """Reference blobs that stand on Celestia, by height. As ``post``."""
        async with self._lock:
            nonce = await self.check_ownership()
            market = await self._l1.market()

            async def draft(height: int) -> _Draft:
                commitments = tuple(stands[height])
                return _Draft(
                    Place.CELESTIA,
                    inbox.post_reference(header_hash, Place.CELESTIA, height, commitments),
                    commitments,
                )

            drafts = [partial(draft, height) for height in sorted(stands)]
            return await self._run(header_hash, drafts, nonce, market, sum(map(len, stands.values())))

    async def _run(
        self, header_hash: Hash32, drafts: Sequence[MakeDraft], nonce: int, market: Market, pieces: int
    ) -> list[Landed]:
        """Send one transaction after the other, each as soon as it is made, and see all of them into blocks."""
        parts: list[_Part] = []
        try:
            for make in drafts[: self._config.max_transactions]:
                parts.append(await self._offer(header_hash, await make(), nonce + len(parts), market))
            await self._see_through(parts)
        except (Temporary, LayerRefused) as error:
            if parts:
                raise Unknown(f"{error}, after a part was sent") from error
            raise
        landed = [
            Landed(commitment, part.receipt.block_number)
            for part in parts
            if part.receipt
            for commitment in part.commitments
        ]
        if len(landed) < pieces:
            raise Unknown(f"{len(landed)} of {pieces} pieces are posted; the rest follows")
        return landed

    async def check_ownership(self) -> int:
        """The next nonce. Raises ``AnotherPoster``, ``Temporary``."""
        await self._l1.check_network()
        if self._expected_nonce is None:
            highest = await asyncio.to_thread(self._journal.highest)
            self._expected_nonce = await self._first_look() if highest is None else highest + 1
        latest = await self._l1.nonce(self.address, "latest")
        ahead = max(latest, await self._l1.nonce(self.address, "pending"))
        if ahead > self._expected_nonce:
            if not self._config.adopt_nonces:
                raise AnotherPoster(
                    f"somebody else posts with the key of 0x{self.address.hex()}: its next nonce is {ahead}, ours "
                    f"{self._expected_nonce}; give this node a key of its own, or set ethereum.adopt_nonces"
                )
            self._expected_nonce = ahead
        return latest

    async def _first_look(self) -> int:
        """A key that never posted from here: nothing may be on its way, and nothing may move while we look."""
        expected = await self._l1.nonce(self.address, "latest")
        for _ in range(_FIRST_LOOKS):
            pending = await self._l1.nonce(self.address, "pending")
            if pending > expected and not self._config.adopt_nonces:
                raise AnotherPoster(
                    f"0x{self.address.hex()} has transactions on their way that this node did not send: give it a key "
                    "of its own, or set ethereum.adopt_nonces"
                )
            await asyncio.sleep(self._config.poll_interval_ms / 1000)
        return expected

    # ----------------------------------------------------------------------------------------- making parts

    async def _place(
        self, header_hash: Hash32, datas: Sequence[bytes], data: DataKind, market: Market, nonce: int
    ) -> Place:
        """Blobs or calldata. A posting that was begun goes on in the same place."""
        begun = await asyncio.to_thread(self._journal.get, nonce)
        if begun and begun.header_hash == header_hash and begun.place is not Place.CELESTIA:
            return begun.place
        if data == "auto":
            data = fee_rules.cheaper(market, datas, self._config.max_blobs)
        return Place[data.upper()]

    async def _draft(self, header_hash: Hash32, place: Place, datas: Sequence[bytes]) -> _Draft:
        """What one transaction carries. Proofs take a while."""
        if place is Place.CALLDATA:
            (data,) = datas
            return _Draft(place, inbox.post_calldata(header_hash, data), (keccak256(data),))
        version = self._config.wrapper_version
        sidecars = tuple([await asyncio.to_thread(self._prover.sidecar, data, version) for data in datas])
        hashes = tuple(sidecar.versioned_hash for sidecar in sidecars)
        return _Draft(place, inbox.post_blobs(header_hash), hashes, sidecars)

    async def _offer(self, header_hash: Hash32, draft: _Draft, nonce: int, market: Market) -> _Part:
        """Sign, write down and send the first offer for a draft, or take up the one that was made before."""
        gas = fee_rules.gas_limit([draft.data], len(draft.commitments))
        hashes = draft.commitments if draft.sidecars else ()
        call = Call(self._chain_id, nonce, gas, self._inbox, draft.data, hashes)
        before = await asyncio.to_thread(self._journal.get, nonce)
        fees = fee_rules.first_offer(market, self._config, blobs=bool(draft.sidecars))
        if before and before.commitments == draft.commitments:
            fees = before.fees  # signed again it is the very same transaction
        known = before.hashes if before else ()
        sent = Sent(nonce, header_hash, draft.place, draft.commitments, known, fees)
        part = _Part(call, draft.sidecars, draft.commitments, sent, self._clock_ms(), self._clock_ms())
        await self._send(part, fees, market)
        return part

    async def _send(self, part: _Part, fees: Fees, market: Market) -> None:
        """Sign with ``fees``, or as much more as the node wants; write it down; hand it in."""
        for _ in range(_RAISES):
            signed = await asyncio.to_thread(sign, part.call, fees, self._signer.sign)
            part.told_ms = self._clock_ms()
            if signed.hash not in part.sent.hashes:
                part.sent = replace(part.sent, fees=fees, hashes=(*part.sent.hashes, signed.hash))
                part.offered_ms = part.told_ms
                await asyncio.to_thread(self._journal.put, part.sent)
            self._expected_nonce = max(self._expected_nonce or 0, part.call.nonce + 1)
            try:
                await self._l1.send(signed.network_form(part.sidecars, self._config.wrapper_version))
            except NodeRefused as refusal:
                if meaning(str(refusal)) is not Refusal.PRICE:
                    _raise_unless_sent(refusal)
                    return
                more = fee_rules.replacement(fees, market, self._config)
                if more is None:
                    raise LayerRefused(f"the L1 node wants more than the fee caps allow: {refusal}") from refusal
                fees = more
            else:
                return
        raise Temporary("the L1 node wants ever higher fees")

    # ------------------------------------------------------------------------------------ waiting for blocks

    async def _see_through(self, parts: Sequence[_Part]) -> None:
        """Until every part stands in a block. Raises ``Unknown`` when the time is up."""
        deadline_ms = self._clock_ms() + self._config.submit_timeout_ms
        while True:
            for part in parts:
                part.receipt = part.receipt or await self._receipt(part)
            waiting = [part for part in parts if part.receipt is None]
            if not waiting:
                return
            if self._clock_ms() >= deadline_ms:
                raise Unknown(
                    f"{len(waiting)} posting transactions are in no block after {self._config.submit_timeout_ms} ms"
                )
            await self._check_nonces(waiting)
            await self._bump(waiting)
            await asyncio.sleep(self._config.poll_interval_ms / 1000)

    async def _receipt(self, part: _Part) -> L1Receipt | None:
        for transaction_hash in reversed(part.sent.hashes):
            receipt = await self._l1.receipt(transaction_hash)
            if receipt and not receipt.succeeded:
                raise Unknown(f"posting 0x{transaction_hash.hex()} was reverted")
            if receipt:
                return receipt
        return None

    async def _check_nonces(self, waiting: Sequence[_Part]) -> None:
        """A nonce is used, but none of our transactions with it is in a block: somebody else's is."""
        latest = await self._l1.nonce(self.address, "latest")
        for part in waiting:
            part.absent_polls = part.absent_polls + 1 if part.call.nonce < latest else 0
            if part.absent_polls > _ABSENT_POLLS:
                self._expected_nonce = part.call.nonce  # every posting from now on sees that it was passed
                raise AnotherPoster(f"nonce {part.call.nonce} of 0x{self.address.hex()} was used by somebody else")

    async def _bump(self, waiting: Sequence[_Part]) -> None:
        market: Market | None = None
        for part in waiting:
            now_ms = self._clock_ms()
            if now_ms - part.told_ms < self._config.bump_after_ms:
                continue
            market = market or await self._l1.market()
            fees = part.sent.fees
            if fee_rules.bump_due(fees, market, now_ms - part.offered_ms, self._config):
                fees = fee_rules.replacement(fees, market, self._config) or fees
            if fees is not part.sent.fees:
                _log.info("l1_fees_raised", nonce=part.call.nonce, max_fee=fees.max_fee, blob_fee=fees.blob_fee)
            try:
                await self._send(part, fees, market)  # with the same fees the node is only reminded
            except SequencerError as error:
                _log.warning("l1_posting_not_replaced", nonce=part.call.nonce, error=str(error))


def _raise_unless_sent(refusal: NodeRefused) -> None:
    match meaning(str(refusal)):
        case Refusal.KNOWN:
            return
        case Refusal.NONCE_USED:
            raise Unknown(f"the L1 node: {refusal}") from refusal
        case Refusal.FUNDS:
            raise LayerRefused(f"the L1 node: {refusal}") from refusal
        case Refusal.TOO_LARGE:
            raise TooLarge(f"the L1 node: {refusal}") from refusal
        case _:
            raise Temporary(f"the L1 node: {refusal}") from refusal
