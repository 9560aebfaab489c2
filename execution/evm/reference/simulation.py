"""``eth_simulateV1``: blocks that do not exist, one on top of the other, as geth makes them.

The first stands on a sealed block, or in place of the open block on top of what is pre-confirmed. State and block
overrides hold from their block on, moved precompiles in theirs only. The tries of the simulated states grow over those
that there are, in memory that is let go at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from execution.evm.reference import calls, transition
from execution.evm.reference.chain_state import SimulationBase
from execution.evm.reference.rules import RULES, Rules
from execution.evm.reference.state import StateTries, StateView
from execution.evm.reference.system_calls import BlockStart, begin_block
from execution.evm.reference.transfers import Transfers
from execution.evm.reference.transition import Call, Checks
from execution.evm.reference.trie import root_of_list
from execution.evm.reference.watched import WatchedWorld, watched
from execution.evm.reference.wire import pack_transaction
from execution.evm.reference.world import ExecutionContext
from sequencer.core import bloom
from sequencer.core.block import EMPTY_REQUESTS_HASH, Header
from sequencer.core.calls import BlockOverride, CallRequest, CallResult
from sequencer.core.errors import Reason, Rejected
from sequencer.core.receipt import ExecutedOutcome, outcome
from sequencer.core.simulation import BlockCalls, SimulatedBlock, SimulatedCall, Simulation
from sequencer.core.types import UINT64_MAX, ZERO_HASH, Hash32
from sequencer.core.unsigned import unsigned

_BLOCKS = 256
"""How far simulated blocks may reach beyond the one that they begin with."""
_BLOCK_TIME_S = 12
"""From one simulated block to the next, where the caller does not say otherwise."""


@dataclass(slots=True)
class _Sums:
    """What the calls of a block come to."""

    gas_used: int = 0
    next_log: int = 0
    base_fees_wei: int = 0
    raws: list[bytes] = field(default_factory=list)
    outcomes: list[ExecutedOutcome] = field(default_factory=list)


class Simulator:
    """One simulation. ``load`` finds nodes and code of real states, ``block_hash`` the hashes of real blocks."""

    def __init__(
        self,
        simulation: Simulation,
        base: SimulationBase,
        gas_cap: int,
        load: Callable[[bytes], bytes | None],
        block_hash: Callable[[int], Hash32],
    ) -> None:
        self._simulation = simulation
        self._base = base
        self._spec = base.spec
        self._load = load
        self._real_hash = block_hash
        self._nodes: dict[bytes, bytes | None] = {}
        self._tries = StateTries(self._node, self._nodes.__setitem__)
        self._root = base.root
        self._hashes: dict[int, Hash32] = {}
        self._gas_left = gas_cap
        """Of all calls together."""

    def run(self) -> list[SimulatedBlock]:
        """The blocks. Raises ``Rejected`` for one that cannot be, or a call that cannot."""
        done: list[SimulatedBlock] = []
        parent = self._base.header
        for block in planned(self._base.header, self._simulation.blocks):
            simulated = self._block(block, parent)
            parent = simulated.header
            self._hashes[parent.number] = parent.hash
            done.append(simulated)
        return done

    def _node(self, key: bytes) -> bytes | None:
        if key not in self._nodes:
            self._nodes[key] = self._load(key)
        return self._nodes[key]

    def _hash_of(self, number: int) -> Hash32:
        if number <= self._base.header.number:
            return self._real_hash(number)
        return self._hashes.get(number, ZERO_HASH)

    def _block(self, block: BlockCalls, parent: Header) -> SimulatedBlock:
        header = self._header(block.block, parent)
        rules = RULES[self._spec.fork_at(header.timestamp)]
        world = self._world(header, block, rules)
        sums = _Sums()
        done = tuple([self._call(request, world, rules, sums) for request in block.calls])
        if sums.base_fees_wei:
            world.delta_balance(self._spec.fee_vault, sums.base_fees_wei)
            world.finish_transaction()
        self._root = self._tries.write(self._root, world)
        sealed = replace(
            header,
            state_root=self._root if self._simulation.state_roots else ZERO_HASH,
            transactions_root=root_of_list(sums.raws),
            receipts_root=root_of_list(each.receipt for each in sums.outcomes),
            logs_bloom=bloom.union(each.logs_bloom for each in sums.outcomes if each.logs),
            gas_used=sums.gas_used,
            requests_hash=EMPTY_REQUESTS_HASH if rules.has_requests else None,
        )
        return SimulatedBlock(sealed, done)

    def _header(self, given: BlockOverride, parent: Header) -> Header:
        """As far as it is known before the calls. What is not overridden comes from the parent, but for randomness and
        beacon root, which are zero."""
        fees, base_fee = self._simulation.fees, 0
        if self._simulation.validation:
            base_fee = fees.next_base_fee(parent.base_fee_per_gas, parent.gas_used, parent.gas_limit)
        return Header(
            parent_hash=parent.hash,
            coinbase=parent.coinbase if given.coinbase is None else given.coinbase,
            state_root=ZERO_HASH,
            number=parent.number + 1 if given.number is None else given.number,
            gas_limit=parent.gas_limit if given.gas_limit is None else given.gas_limit,
            timestamp=parent.timestamp if given.timestamp is None else given.timestamp,
            prev_randao=given.prev_randao or ZERO_HASH,
            base_fee_per_gas=base_fee if given.base_fee_per_gas is None else given.base_fee_per_gas,
            parent_beacon_block_root=given.parent_beacon_block_root or ZERO_HASH,
        )

    def _world(self, header: Header, block: BlockCalls, rules: Rules) -> WatchedWorld:
        """The state that the block's calls find."""
        context = ExecutionContext(
            chain_id=self._spec.chain_id,
            block_number=header.number,
            timestamp=header.timestamp,
            coinbase=header.coinbase,
            gas_limit=header.gas_limit,
            base_fee_per_gas=header.base_fee_per_gas,
            mix_hash=header.prev_randao,
            blob_base_fee=1 if block.block.blob_base_fee is None else block.block.blob_base_fee,
        )
        world = WatchedWorld(StateView(self._tries, self._root, self._hash_of), context, rules.precompiles)
        world.moved_precompiles = calls.moved_precompiles(block.accounts, rules.precompiles)
        for address, override in block.accounts.items():
            calls.replace_account(world, address, override)
        world.finish_transaction()
        begin_block(world, rules, BlockStart(header.parent_hash, header.parent_beacon_block_root or ZERO_HASH))
        return world

    def _call(self, request: CallRequest, world: WatchedWorld, rules: Rules, sums: _Sums) -> SimulatedCall:
        request = self._completed(request, world, sums)
        kind = 0 if request.gas_price is not None else 4 if request.authorizations else 2
        transaction = unsigned(kind, self._spec.chain_id, request)
        call = Call(*pack_transaction(transaction))._replace(
            type=4 if request.authorizations else 2,
            access_list=request.access_list,
            authorizations=request.authorizations,
        )
        checks = Checks.FEES_AND_NONCE if self._simulation.validation else Checks.FEES_IF_ANY
        transfers = Transfers(wanted=self._simulation.trace_transfers, first=sums.next_log)
        world.watch(transfers)
        try:
            done = transition.execute(world, watched(rules, transfers), call, self._gas_left, checks)
        except Rejected as refusal:
            raise _supplied(refusal, call.gas_limit) from None
        # A receipt knows nothing of transfers.
        result = calls.result_of(done)
        sums.next_log = transfers.next_number
        sums.gas_used += done.gas_used
        sums.base_fees_wei += min(call.max_fee_per_gas, world.base_fee) * done.gas_used
        sums.raws.append(transaction.raw)
        sums.outcomes.append(outcome(kind, done.succeeded, done.gas_used, sums.gas_used, None, result.logs))
        self._gas_left -= done.gas_used
        told = CallResult(
            result.output, result.gas_used, result.reverted, result.halt, tuple(log for _, log in transfers.kept)
        )
        return SimulatedCall(transaction, told, done.max_gas_used, tuple(number for number, _ in transfers.kept))

    def _completed(self, request: CallRequest, world: WatchedWorld, sums: _Sums) -> CallRequest:
        """With what the caller left out: the next nonce, and all the gas that is left."""
        block_limit = world.gas_limit
        asked = block_limit - sums.gas_used if request.gas_limit is None else request.gas_limit
        if sums.gas_used + asked > block_limit:
            raise Rejected(Reason.BLOCK_GAS_LIMIT, f"{sums.gas_used} >= {block_limit}")
        nonce = world.get_nonce(request.sender) if request.nonce is None else request.nonce
        return replace(request, nonce=nonce, gas_limit=min(asked, self._gas_left))


def planned(base: Header, blocks: tuple[BlockCalls, ...]) -> list[BlockCalls]:
    """The blocks with numbers and times in them, and empty blocks where numbers were left out. Raises ``Rejected``."""
    plan: list[BlockCalls] = []
    number, timestamp = base.number, base.timestamp
    for block in blocks:
        wanted = number + 1 if block.block.number is None else block.block.number
        if wanted <= number:
            raise Rejected(Reason.BLOCK_NUMBER_ORDER, f"{wanted} <= {number}")
        if wanted - base.number > _BLOCKS:
            raise Rejected(Reason.TOO_MANY_BLOCKS)
        for skipped in range(number + 1, wanted):
            timestamp = min(timestamp + _BLOCK_TIME_S, UINT64_MAX)
            plan.append(BlockCalls(BlockOverride(number=skipped, timestamp=timestamp)))
        following = min(timestamp + _BLOCK_TIME_S, UINT64_MAX)
        time = following if block.block.timestamp is None else block.block.timestamp
        if time <= timestamp:
            raise Rejected(Reason.BLOCK_TIME_ORDER, f"{time} <= {timestamp}")
        number, timestamp = wanted, time
        plan.append(replace(block, block=replace(block.block, number=number, timestamp=timestamp)))
    return plan


def _supplied(refusal: Rejected, gas_limit: int) -> Rejected:
    """As geth tells of a refused call: with the gas that it had."""
    gap = " " if refusal.detail else ""
    return Rejected(refusal.reason, f"{refusal.detail}{gap}(supplied gas {gas_limit})")
