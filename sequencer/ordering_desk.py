"""What a chain tells users about its ordering: the policy, receipts of arrival, recent records, and bundles.

Implements ``rpc.methods.ordering.OrderingDesk`` over the pool and the policy of one chain. Records are kept in
memory for as many blocks as there is room; older ones are on DA.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Final

from mempool.bundles import BundleTerms
from mempool.service import Mempool
from sequencer.core.block import Block, PayloadAttributes
from sequencer.core.chain_spec import OrderingRule
from sequencer.core.eip712 import Domain
from sequencer.core.encoding import data, quantity
from sequencer.core.entries import FlashblockEntry
from sequencer.core.errors import Reason, Rejected
from sequencer.core.ports import OrderingPolicy
from sequencer.core.received import RECEIVED_TYPE, Received
from sequencer.core.types import Address, Hash32, Signature
from sequencer.ordering.ranked import RankedPolicy
from sequencer.ordering.received import SignedReceived
from sequencer.ordering.registry import evidence

RECORDS_SIZE_BYTES: Final = 64 * 1024 * 1024
"""Raw bytes of the transactions whose records are kept."""
RECORDS_BLOCKS: Final = 4_096


@dataclass(slots=True)
class _Record:
    attributes: PayloadAttributes
    entries: list[FlashblockEntry] = field(default_factory=list)
    size_bytes: int = 0


class OrderingDesk:
    """One chain's. ``sign`` signs receipts, and nothing else, as the sequencer ``address``; it runs in ``threads``."""

    def __init__(
        self,
        *,
        rule: OrderingRule,
        policy: OrderingPolicy,
        pool: Mempool,
        domain: Domain,
        address: Address,
        sign: Callable[[Received], Signature],
        threads: Executor,
    ) -> None:
        self._rule = rule
        self._policy = policy
        self._pool = pool
        self._domain = domain
        self._address = address
        self._sign = sign
        self._threads = threads
        self._records: OrderedDict[int, _Record] = OrderedDict()
        self._size_bytes = 0

    @property
    def takes_bundles(self) -> bool:
        """The policy lets bundles in."""
        return isinstance(self._policy, RankedPolicy) and self._policy.takes_bundles

    def capability(self) -> dict[str, Any]:
        """The ``ordering`` member of ``sequencer_capabilities``: ``auditedWith`` says what it takes to check that
        the policy was kept (``ordering.ranked.Evidence``)."""
        return {
            "policy": self._rule.name,
            "parameters": dict(self._rule.parameters),
            "policyId": data(self._policy.policy_id),
            "auditedWith": evidence(self._policy).value,
            "bundles": self.takes_bundles,
            "receipt": RECEIVED_TYPE,
        }

    async def received(self, transaction_hash: Hash32) -> dict[str, Any] | None:
        """A signed receipt; None for a transaction that is not executable and was not included lately. Raises
        ``Temporary`` if the disk refuses to keep what would be signed."""
        arrival = self._pool.arrival(transaction_hash)
        if arrival is None:
            return None
        if self._pool.get(transaction_hash) is not None:
            await self._pool.persist_journal()  # nothing that happens may let what was signed arrive anew, and later
        receipt = Received(transaction_hash, arrival.sequence, arrival.received_ms)
        signature = await asyncio.get_running_loop().run_in_executor(self._threads, self._sign, receipt)
        signed = SignedReceived(receipt, self._address, signature)
        return {**signed.to_json(), "domain": self._domain.to_json()}

    async def submit_bundle(
        self,
        raws: Sequence[bytes],
        blocks: tuple[int, int],
        times_s: tuple[int, int],
        may_revert: frozenset[Hash32],
    ) -> Hash32:
        """Hand a bundle in; see ``Mempool.submit_bundle``. Raises ``Rejected`` under a policy that takes none."""
        if not self.takes_bundles:
            raise Rejected(Reason.NOT_ACCEPTING, f"the ordering policy {self._rule.name} takes no bundles")
        return await self._pool.submit_bundle(raws, BundleTerms(*blocks, *times_s, may_revert))

    def remind(self, block: Callable[[int], Block | None], head: int) -> None:
        """Tell a policy that remembers what it would have been told before the restart, from the stored blocks."""
        if isinstance(self._policy, RankedPolicy):
            numbers = range(max(1, head + 1 - self._policy.history_blocks), head + 1)
            self._policy.remember(stored for number in numbers if (stored := block(number)))

    # ------------------------------------------------------------------------------------------- records

    def opened(self, attributes: PayloadAttributes) -> None:
        """A block begins."""
        self._records[attributes.number] = _Record(attributes)
        self._make_room()

    def decided(self, entry: FlashblockEntry) -> None:
        """A flashblock of it is durable."""
        record = self._records.get(entry.flashblock.block_number)
        if record is not None:
            size_bytes = sum(map(len, entry.transactions))
            record.entries.append(entry)
            record.size_bytes += size_bytes
            self._size_bytes += size_bytes
            self._make_room()

    def flashblocks(self, number: int) -> dict[str, Any] | None:
        """What was decided for a block, as far as it is durable; None for one that is too old or not there."""
        record = self._records.get(number)
        if record is None:
            return None
        attributes = record.attributes
        return {
            "blockNumber": quantity(attributes.number),
            "term": quantity(attributes.term),
            "baseFeePerGas": quantity(attributes.base_fee_per_gas),
            "extraData": data(attributes.extra_data),
            "flashblocks": [
                {
                    "timestampMs": quantity(entry.flashblock.timestamp_ms),
                    "transactions": list(map(data, entry.transactions)),
                    "arrivals": [[a.sequence, a.age_ms, a.origin] for a in entry.arrivals],
                }
                for entry in record.entries
            ],
        }

    def _make_room(self) -> None:
        while len(self._records) > RECORDS_BLOCKS or (self._size_bytes > RECORDS_SIZE_BYTES and len(self._records) > 1):
            _, oldest = self._records.popitem(last=False)
            self._size_bytes -= oldest.size_bytes
