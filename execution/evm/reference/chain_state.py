"""One chain's blocks as they are executed: the open one, the sealed ones not yet durable, and the rest on disk.

After each batch of transactions the open block's state is written to trie nodes, so every point that can
be asked about or returned to is a root: ``pending`` is the newest one, a mark is one, a sealed block is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from execution.evm.reference import transition
from execution.evm.reference.genesis_state import write_accounts
from execution.evm.reference.node_store import NodeStore
from execution.evm.reference.rules import RULES, Rules
from execution.evm.reference.state import StateTries, StateView
from execution.evm.reference.system_calls import BlockStart, begin_block
from execution.evm.reference.transition import Call
from execution.evm.reference.trie import root_of_list
from execution.evm.reference.world import ExecutionContext, World
from sequencer.core import bloom
from sequencer.core.block import EMPTY_REQUESTS_HASH, Header, PayloadAttributes, decode_header
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.errors import Fatal, Reason, Rejected, SequencerError, Temporary
from sequencer.core.genesis import Genesis
from sequencer.core.keccak import keccak256
from sequencer.core.ports import StateAt
from sequencer.core.receipt import ExecutedOutcome, outcome
from sequencer.core.types import ZERO_HASH, Hash32


@dataclass(slots=True)
class _Mark:
    root: Hash32
    gas_used: int


@dataclass(slots=True)
class _OpenBlock:
    """The open block. ``marks`` names a state by how many transactions led to it."""

    attributes: PayloadAttributes
    rules: Rules
    context: ExecutionContext
    world: World
    root: Hash32
    gas_used: int = 0
    raws: list[bytes] = field(default_factory=list)
    outcomes: list[ExecutedOutcome] = field(default_factory=list)
    marks: dict[int, _Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadPoint:
    """Where a read looks: a state, and the block around it for calls."""

    root: Hash32
    context: ExecutionContext
    fork: str
    sealed: int
    """The newest sealed block in it."""


@dataclass(frozen=True, slots=True)
class SimulationBase:
    """The block that a simulation begins with, and the state on it, which is further where a block is open."""

    header: Header
    root: Hash32
    spec: ChainSpec


class ChainState:
    """The methods of ``ExecutionEngine`` that change something, and ``read_point`` for those that do not.

    One thread executes; ``read_point``, ``view`` and ``hash_of`` may be called from another.
    """

    def __init__(self, store: NodeStore) -> None:
        self._store = store
        self.tries = StateTries(store.get, store.put)
        self._genesis: Genesis | None = None
        self._open: _OpenBlock | None = None
        self._sealed: dict[int, Header] = {}
        self._newest: Header | None = None
        self._pending: ReadPoint | None = None
        self._height = 0

    # ------------------------------------------------------------------------- start, height

    def open(self, genesis: Genesis) -> Header:
        """Find or create the state. Raises ``Fatal`` if it is of another genesis."""
        self._genesis = genesis
        nodes: dict[bytes, bytes] = {}
        root = write_accounts(StateTries(nodes.get, nodes.__setitem__), genesis.accounts)
        header = genesis.header(root)
        height = self._store.height()
        if height is None:
            self._store.commit([(0, header.encoded, nodes)])
            height = 0
        elif self._store.header(0) != header.encoded:
            raise Fatal("the state on disk belongs to another genesis")
        self._height = height
        self._become(self._header(height))
        return header

    @property
    def height(self) -> int:
        """The newest committed block."""
        return self._height

    # -------------------------------------------------------------------------- the open block

    def begin(self, attributes: PayloadAttributes) -> None:
        """Open the next block and run the system calls at its start."""
        newest = self._newest_header()
        if self._open is not None:
            raise Fatal(f"block {self._open.attributes.number} is open already")
        if attributes.number != newest.number + 1 or attributes.parent_hash != newest.hash:
            raise Fatal(f"block {attributes.number} does not follow block {newest.number} 0x{newest.hash.hex()}")
        rules = self._rules_at(attributes.timestamp)
        context = self._context(attributes)
        self._store.begin_layer(attributes.number)
        world = World(self.view(newest.state_root), context, rules.precompiles)
        block = _OpenBlock(attributes, rules, context, world, newest.state_root)
        begin_block(world, rules, BlockStart(attributes.parent_hash, attributes.parent_beacon_block_root))
        self._open = block
        self._persist(block)

    def apply(self, calls: Sequence[Call]) -> list[ExecutedOutcome | Rejected]:
        """Execute in order; one answer each."""
        block = self._open_block()
        answers = [self._apply_one(block, call) for call in calls]
        self._persist(block)
        return answers

    def rewind(self, mark: int) -> None:
        """Back to the state after the first ``mark`` transactions."""
        block = self._open_block()
        point = block.marks.get(mark)
        if point is None:
            raise Fatal(f"there is no mark {mark} in block {block.attributes.number}")
        block.root, block.gas_used = point.root, point.gas_used
        del block.raws[mark:], block.outcomes[mark:]
        block.marks = {at: kept for at, kept in block.marks.items() if at <= mark}
        block.world = World(self.view(point.root), block.context, block.rules.precompiles)
        self._pending = self._open_point(block, point.root)

    def seal(self) -> Header:
        """Credit the base fees, compute the roots, and close the block."""
        block = self._open_block()
        attributes = block.attributes
        base_fees = attributes.base_fee_per_gas * block.gas_used
        if base_fees:
            block.world.delta_balance(self._genesis_of().spec.fee_vault, base_fees)
            block.world.finish_transaction()
            self._persist(block)
        header = Header(
            parent_hash=attributes.parent_hash,
            coinbase=attributes.coinbase,
            state_root=block.root,
            transactions_root=root_of_list(block.raws),
            receipts_root=root_of_list(done.receipt for done in block.outcomes),
            logs_bloom=bloom.union(done.logs_bloom for done in block.outcomes if done.logs),
            number=attributes.number,
            gas_limit=attributes.gas_limit,
            gas_used=block.gas_used,
            timestamp=attributes.timestamp,
            extra_data=attributes.extra_data,
            prev_randao=attributes.prev_randao,
            base_fee_per_gas=attributes.base_fee_per_gas,
            parent_beacon_block_root=attributes.parent_beacon_block_root,
            requests_hash=EMPTY_REQUESTS_HASH if block.rules.has_requests else None,
        )
        self._open = None
        self._sealed[header.number] = header
        self._become(header)
        return header

    def cancel(self) -> None:
        """Forget the open block, if there is one."""
        if self._open is not None:
            self._store.drop_layers(self._open.attributes.number)
            self._open = None
            self._become(self._newest_header())

    # ------------------------------------------------------------------------- sealed blocks

    def commit(self, number: int) -> None:
        """Write sealed blocks up to ``number`` to disk, all or none."""
        if number > self._newest_header().number:
            raise Fatal(f"block {number} is not sealed")
        blocks = range(self._height + 1, number + 1)
        if not blocks:
            return
        self._store.commit(
            (at, header.encoded, self.tries.reachable(header.state_root, self._store.layer(at).get))
            for at, header in ((at, self._sealed[at]) for at in blocks)
        )
        self._height = number
        for at in blocks:
            del self._sealed[at]

    def sync(self) -> None:
        """Make what is committed survive power loss."""
        self._store.sync()

    def unwind(self, to: int) -> None:
        """Back to the state after block ``to``. Every state is kept, so any sealed block will do."""
        if not 0 <= to <= self._newest_header().number:
            raise Fatal(f"there is no block {to} to go back to")
        self.cancel()
        self._store.drop_layers(to + 1)
        header = self._header(to)
        self._sealed = {at: sealed for at, sealed in self._sealed.items() if at <= to}
        if to < self._height:
            self._store.forget(self._height, to)
            self._height = to
        self._become(header)

    # ------------------------------------------------------------------------------- reading

    def read_point(self, at: StateAt, timestamp: int | None = None) -> ReadPoint:
        """Where to look for the state ``at``, under the rules of another time if one is given. Raises ``Temporary``
        for a block that is not known."""
        pending = self._pending
        if pending is None:
            raise Temporary("the state is not open yet")
        point = pending if at == "pending" else self._point_after(self._header(at))
        return point if timestamp is None else replace(point, fork=self._rules_at(timestamp).fork)

    def replay_point(self, number: int) -> tuple[ReadPoint, BlockStart]:
        """Where sealed block ``number`` began: the state before it, and the block around its transactions."""
        if number < 1:
            raise Temporary("genesis has no transactions")
        header, parent = self._header(number), self._header(number - 1)
        fork = self._rules_at(header.timestamp).fork
        point = ReadPoint(parent.state_root, self._context(header), fork, parent.number)
        return point, BlockStart(header.parent_hash, header.parent_beacon_block_root or ZERO_HASH)

    def simulation_base(self, at: StateAt) -> SimulationBase:
        """What simulated blocks stand on. Raises ``Temporary`` for a block that is not known."""
        point = self.read_point(at)
        return SimulationBase(self._header(point.sealed), point.root, self._genesis_of().spec)

    def view(self, root: bytes) -> StateView:
        """The state with this root."""
        return StateView(self.tries, root, self.hash_of)

    def hash_of(self, number: int) -> Hash32:
        """The hash of a sealed block, zero for one that is not there."""
        if (sealed := self._sealed.get(number)) is not None:
            return sealed.hash
        header = self._store.header(number)
        return ZERO_HASH if header is None else keccak256(header)

    # ------------------------------------------------------------------------------- helpers

    def _apply_one(self, block: _OpenBlock, call: Call) -> ExecutedOutcome | Rejected:
        if call.type == 3:
            return Rejected(Reason.TYPE_NOT_SUPPORTED)  # a header here has no room for blob gas (protocol, section 4)
        try:
            done = transition.execute(block.world, block.rules, call, block.attributes.gas_limit - block.gas_used)
        except Rejected as refusal:
            return refusal
        except SequencerError:
            raise
        except Exception as error:  # noqa: BLE001
            # The interpreter failed where the rules have no word for it. The transaction stays out of the block;
            # one that another engine put into the log makes replay stop here, and say so.
            block.world.abandon_transaction()
            return Rejected(Reason.MALFORMED, f"the reference engine cannot execute it: {error!r}")
        block.gas_used += done.gas_used
        answer = outcome(call.type, done.succeeded, done.gas_used, block.gas_used, done.contract_address, done.logs)
        block.raws.append(call.raw)
        block.outcomes.append(answer)
        return answer

    def _persist(self, block: _OpenBlock) -> None:
        block.root = self.tries.write(block.root, block.world)
        block.marks[len(block.outcomes)] = _Mark(block.root, block.gas_used)
        self._pending = self._open_point(block, block.root)

    def _open_point(self, block: _OpenBlock, root: Hash32) -> ReadPoint:
        return ReadPoint(root, block.context, block.rules.fork, block.attributes.number - 1)

    def _become(self, newest: Header) -> None:
        self._newest = newest
        self._pending = self._point_after(newest)

    def _point_after(self, header: Header) -> ReadPoint:
        return ReadPoint(header.state_root, self._context(header), self._rules_at(header.timestamp).fork, header.number)

    def _context(self, block: Header | PayloadAttributes) -> ExecutionContext:
        return ExecutionContext(
            chain_id=self._genesis_of().spec.chain_id,
            block_number=block.number,
            timestamp=block.timestamp,
            coinbase=block.coinbase,
            gas_limit=block.gas_limit,
            base_fee_per_gas=block.base_fee_per_gas,
            mix_hash=block.prev_randao,
            blob_base_fee=1,
        )

    def _rules_at(self, timestamp: int) -> Rules:
        fork = self._genesis_of().spec.fork_at(timestamp)
        if fork not in RULES:
            raise Fatal(f"the reference engine does not run the rules of {fork}")
        return RULES[fork]

    def _header(self, number: int) -> Header:
        header = self._sealed.get(number)
        if header is None:
            encoded = self._store.header(number) if number >= 0 else None
            if encoded is None:
                raise Temporary(f"the state of block {number} is not known")
            header = decode_header(encoded)
        return header

    def _genesis_of(self) -> Genesis:
        if self._genesis is None:
            raise Fatal("the engine is not open")
        return self._genesis

    def _newest_header(self) -> Header:
        if self._newest is None:
            raise Fatal("the engine is not open")
        return self._newest

    def _open_block(self) -> _OpenBlock:
        if self._open is None:
            raise Fatal("no block is open")
        return self._open
