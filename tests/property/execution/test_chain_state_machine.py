"""Blocks that are built, rewound, cancelled, committed, unwound and reopened in any order.

The model is a plain dictionary of balances, nonces and slots. Whatever happened, the engine's state root is
that of a state written at once from the model, and every block on disk is the one that was sealed.
"""

import shutil
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from execution.evm.reference.chain_state import ChainState
from execution.evm.reference.genesis_state import write_accounts
from execution.evm.reference.node_store import NodeStore
from execution.evm.reference.state import StateTries
from execution.evm.reference.transition import Call
from sequencer.core.block import Header, PayloadAttributes
from sequencer.core.chain_spec import ChainSpec, ForkTime
from sequencer.core.errors import Rejected
from sequencer.core.genesis import Genesis
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.types import ZERO_HASH, Address, Hash32

USERS = [Address(bytes((n,)) * 20) for n in (1, 2, 3)]
STORE = Address(b"\xc0" * 20)
STORE_CODE = bytes.fromhex("6020355f355500")
VAULT = Address(b"\xfe" * 20)
COINBASE = Address(b"\xcb" * 20)
BASE_FEE = 10
GENESIS = Genesis(
    ChainSpec(
        name="machine",
        chain_id=1,
        forks=(ForkTime("prague", 0),),
        gas_limit=10**7,
        seed=ZERO_HASH,
        fee_vault=VAULT,
        sequencers=SequencerSet(0, (SequencerInfo(USERS[0], COINBASE),)),
    ),
    1,
    {user: GenesisAccount(10**12) for user in USERS} | {STORE: GenesisAccount(nonce=1, code=STORE_CODE)},
)


class Model:
    """Accounts as [balance, nonce], and the slots of the one contract."""

    def __init__(self) -> None:
        self.accounts: dict[Address, list[int]] = {user: [10**12, 0] for user in USERS}
        self.slots: dict[int, int] = {}

    def pay(self, address: Address, amount: int) -> None:
        if amount:
            self.accounts.setdefault(address, [0, 0])[0] += amount

    def root(self) -> Hash32:
        words = {key.to_bytes(32, "big"): value.to_bytes(32, "big") for key, value in self.slots.items() if value}
        state: dict[Address, Any] = {
            address: GenesisAccount(balance, nonce) for address, (balance, nonce) in self.accounts.items()
        }
        state[STORE] = GenesisAccount(0, 1, STORE_CODE, {Hash32(k): Hash32(v) for k, v in words.items()})
        nodes: dict[bytes, bytes] = {}
        return write_accounts(StateTries(nodes.get, nodes.__setitem__), state)


class Blocks(RuleBasedStateMachine):
    """One chain; ``self.pending`` is the model of the open block, ``self.sealed`` those of the sealed ones."""

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.sealed: list[tuple[Header, Model]] = []
        self.committed = 0
        self._open()
        self.sealed = [(self.genesis, Model())]

    def _open(self) -> None:
        self.store = NodeStore.open(self.folder / "state")
        self.chain = ChainState(self.store)
        self.genesis = self.chain.open(GENESIS)
        self.pending: Model | None = None
        self.marks: list[tuple[int, Model, int]] = []

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @precondition(lambda self: self.pending is None)
    @rule()
    def begin(self) -> None:
        parent, model = self.sealed[-1]
        number = parent.number + 1
        self.chain.begin(
            PayloadAttributes(
                number=number,
                parent_hash=parent.hash,
                timestamp=number,
                gas_limit=10**7,
                base_fee_per_gas=BASE_FEE,
                coinbase=COINBASE,
                prev_randao=ZERO_HASH,
                extra_data=ZERO_HASH,
            )
        )
        self.pending, self.gas_used, self.count = deepcopy(model), 0, 0
        self.marks = [(0, deepcopy(model), 0)]

    @precondition(lambda self: self.pending is not None)
    @rule(steps=st.lists(st.tuples(st.sampled_from(USERS), st.integers(0, 5), st.integers(0, 2)), max_size=4))
    def apply(self, steps: list[tuple[Address, int, int]]) -> None:
        assert self.pending is not None
        for sender, slot, value in steps:
            nonce = self.pending.accounts[sender][1]
            data = slot.to_bytes(32, "big") + value.to_bytes(32, "big")
            to, sent = (STORE, 0) if slot < 3 else (USERS[slot - 3], value)
            call = Call(2, 1, sender, nonce, 1, 100, 100_000, to, sent, data, (), (), (), 0, bytes((self.count,)))
            (answer,) = self.chain.apply([call])
            assert not isinstance(answer, Rejected)
            assert answer.succeeded
            self.pending.accounts[sender][1] += 1
            self.pending.pay(sender, -sent - answer.gas_used * (BASE_FEE + 1))
            self.pending.pay(to, sent)
            self.pending.pay(COINBASE, answer.gas_used)
            if to == STORE:
                self.pending.slots[slot] = value
            self.gas_used += answer.gas_used
            self.count += 1
        refused = Call(2, 1, USERS[0], 10**6, 1, 100, 21_000, STORE, 0, b"", (), (), (), 0, b"")
        assert isinstance(self.chain.apply([refused])[0], Rejected)
        self.marks.append((self.count, deepcopy(self.pending), self.gas_used))

    @precondition(lambda self: self.pending is not None)
    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.marks) - 1))
        self.marks = self.marks[: at + 1]
        self.count, model, self.gas_used = self.marks[-1]
        self.pending = deepcopy(model)
        self.chain.rewind(self.count)

    @precondition(lambda self: self.pending is not None)
    @rule()
    def seal(self) -> None:
        assert self.pending is not None
        self.pending.pay(VAULT, self.gas_used * BASE_FEE)
        header = self.chain.seal()
        assert (header.state_root, header.gas_used) == (self.pending.root(), self.gas_used)
        self.sealed.append((header, self.pending))
        self.pending = None

    @rule()
    def cancel(self) -> None:
        self.chain.cancel()
        self.pending = None

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.sealed) - 1))
        self.chain.commit(number)
        self.committed = max(self.committed, number)

    @rule(data=st.data())
    def unwind(self, data: st.DataObject) -> None:
        to = data.draw(st.integers(0, len(self.sealed) - 1))
        self.chain.unwind(to)
        self.sealed, self.pending = self.sealed[: to + 1], None
        self.committed = min(self.committed, to)

    @rule()
    def crash(self) -> None:
        self.store.close()
        self._open()
        assert self.chain.height == self.committed
        self.sealed = self.sealed[: self.committed + 1]

    @invariant()
    def every_state_is_the_models(self) -> None:
        assert self.chain.height == self.committed
        for header, _ in self.sealed:
            assert self.chain.read_point(header.number).root == header.state_root
            assert self.chain.hash_of(header.number) == header.hash
        newest = self.pending or self.sealed[-1][1]
        assert self.chain.read_point("pending").root == newest.root()
        header, model = self.sealed[len(self.sealed) // 2]
        account = self.chain.tries.account(header.state_root, USERS[0])
        assert account is not None
        assert [account.balance, account.nonce] == model.accounts[USERS[0]]
        contract = self.chain.tries.account(header.state_root, STORE)
        assert contract is not None
        for slot in range(3):
            assert self.chain.tries.slot(contract.storage_root, slot) == model.slots.get(slot, 0)


TestBlocks = Blocks.TestCase
TestBlocks.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
