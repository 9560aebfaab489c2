"""The native and the reference engine do the same with any sequence of blocks, transactions and ways back.

Both are driven step by step: valid, failing and invalid transactions of every type, rewinds, cancelled blocks,
commits, unwinds and restarts. Every answer, receipt, header and read must be equal.
"""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from execution.evm.reference import calls
from execution.evm.reference.calls import Surroundings
from execution.evm.reference.chain_state import ChainState
from execution.evm.reference.node_store import NodeStore
from execution.evm.reference.rules import RULES
from execution.evm.reference.transition import Call
from execution.evm.reference.wire import pack_transaction
from sequencer.core import transaction
from sequencer.core.block import PayloadAttributes
from sequencer.core.calls import AccountOverride, CallRequest
from sequencer.core.errors import Rejected
from sequencer.core.keccak import EMPTY_HASH, EMPTY_TRIE_ROOT, keccak256
from sequencer.core.receipt import outcome
from sequencer.core.types import Address, Hash32
from tests.conformance.execution import bytecode
from tests.conformance.execution.bytecode import word
from tests.conformance.execution.chains import BASE_FEE, COINBASE, CONTRACTS, EXTRA_DATA, GAS_LIMIT, genesis
from tests.conformance.execution.users import CHAIN_ID, FEE_CAP, TIP, User

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

USERS = [User(number) for number in range(4)]
STRANGERS = [Address(bytes((n,)) * 20) for n in (0x5E, 0x5F)]
PRECOMPILES = [Address(bytes(19) + bytes((n,))) for n in (1, 2, 4, 5, 9)]
TARGETS = [*CONTRACTS.values(), *STRANGERS, *PRECOMPILES, *(user.address for user in USERS)]
CODES = [
    bytecode.STORE,
    bytecode.LOAD,
    bytecode.LOG,
    bytecode.CALLER,
    bytecode.FORWARD,
    bytecode.DESTRUCT,
    b"\xef",
    b"",
]
INIT_CODES = [*map(bytecode.returning, CODES), bytes.fromhex("30ff"), bytes.fromhex("5f5ffd"), b"\xfe", b""]
# fmt: off
OPCODES = st.sampled_from([
    *range(0x0C), *range(0x10, 0x1E), 0x20, *range(0x30, 0x4B), *range(0x50, 0x62), *range(0x80, 0x84), 0x90, 0x91,
    0xA0, 0xA1, *range(0xF0, 0xF6), 0xFA, 0xFD, 0xFF,
])
# fmt: on

small = st.integers(0, 3)
data_words = st.sampled_from([*map(word, range(4)), *map(word, CONTRACTS.values()), word(USERS[0].address)])
call_data = st.lists(data_words, max_size=3).map(b"".join)
targets = st.sampled_from(TARGETS)
random_code = st.lists(OPCODES, max_size=40).map(lambda ops: bytes.fromhex("600160025f35602035") + bytes(ops))


@st.composite
def raw_transactions(draw: st.DrawFn, nonces: dict[Address, int]) -> bytes:
    """A signed transaction, mostly with the nonce that its sender needs next."""
    user = draw(st.sampled_from(USERS))
    nonce = max(nonces.get(user.address, 0) + draw(st.sampled_from([0] * 12 + [1, -1])), 0)
    kind = draw(st.sampled_from([0, 1, 2, 2, 2, 4, 4, 3]))
    to = draw(targets) if kind >= 3 else draw(st.one_of(targets, targets, targets, st.just(b"")))
    data = draw(call_data) if to else draw(st.one_of(st.sampled_from(INIT_CODES), random_code))
    value = draw(st.sampled_from([0, 0, 0, 1, 10**18, 10**24]))
    gas = draw(st.sampled_from([200_000, 200_000, 60_000, 300_000, 21_000, 20_999, GAS_LIMIT + 1]))
    cap, tip = draw(st.sampled_from([(FEE_CAP, TIP)] * 6 + [(BASE_FEE, 0), (BASE_FEE - 1, 0), (BASE_FEE, FEE_CAP)]))
    access_list = draw(st.lists(st.tuples(targets, st.lists(data_words, max_size=2)).map(list), max_size=2))
    wishes = []
    for signer in draw(st.lists(st.sampled_from(USERS), max_size=2)):
        wish_nonce = nonces.get(signer.address, 0) + draw(small)
        chain_id = draw(st.sampled_from([CHAIN_ID, CHAIN_ID, 0, 5]))
        wishes.append(signer.authorize(draw(st.one_of(targets, st.just(bytes(20)))), wish_nonce, chain_id))
    chain_id = draw(st.sampled_from([CHAIN_ID] * 9 + [None])) if kind == 0 else CHAIN_ID
    return user.send(
        to, value, data, kind=kind, gas=gas, nonce=nonce, cap=cap, tip=tip, chain_id=chain_id,
        access_list=access_list, authorizations=wishes,
    )  # fmt: skip


requests = st.builds(
    CallRequest,
    sender=st.sampled_from([user.address for user in USERS] + STRANGERS),
    to=st.one_of(st.sampled_from([*CONTRACTS.values(), *STRANGERS]), st.none()),  # precompiles fail in their own words
    data=st.one_of(call_data, st.sampled_from(INIT_CODES)),
    value=st.sampled_from([0, 0, 1, 10**30]),
    gas_limit=st.sampled_from([None, 100_000, 20_000, 10**9]),
    gas_price=st.sampled_from([None, None, BASE_FEE, BASE_FEE - 1]),
    overrides=st.dictionaries(
        targets,
        st.builds(
            AccountOverride,
            st.sampled_from([None, 0, 10**20]),
            st.sampled_from([None, 7]),
            st.sampled_from([None, *CODES[:6]]),
            st.sampled_from([None, {}, {Hash32(word(1)): Hash32(word(9))}]),
            st.sampled_from([{}, {Hash32(word(2)): Hash32(word(8))}]),
        ),
        max_size=2,
    ),
)


class Engines(RuleBasedStateMachine):
    """One chain on two engines."""

    @initialize()
    def create(self) -> None:
        from execution.evm.native.engine import NativeEngine

        self.folder = Path(tempfile.mkdtemp())
        self.genesis = genesis()
        self.native = NativeEngine(self.folder / "native")
        self.store = NodeStore(self.folder / "reference")
        self.reference = ChainState(self.store)
        first = self.native.open(self.genesis)
        assert first == self.reference.open(self.genesis)
        self.headers = [first]
        self.committed = 0
        self.open = False
        self.marks: list[int] = []

    def teardown(self) -> None:
        if hasattr(self, "native"):
            self.native.close()
            self.store.close()
            shutil.rmtree(self.folder)

    def attributes(self) -> PayloadAttributes:
        number = len(self.headers)
        return PayloadAttributes(
            number=number,
            parent_hash=self.headers[-1].hash,
            timestamp=self.genesis.timestamp + number,
            gas_limit=GAS_LIMIT,
            base_fee_per_gas=BASE_FEE,
            coinbase=COINBASE,
            prev_randao=keccak256(b"%d" % number),
            extra_data=EXTRA_DATA,
            parent_beacon_block_root=keccak256(b"root %d" % number),
        )

    @precondition(lambda self: not self.open)
    @rule()
    def begin(self) -> None:
        self.native.begin(self.attributes())
        self.reference.begin(self.attributes())
        self.open, self.marks = True, []

    @precondition(lambda self: self.open)
    @rule(data=st.data(), count=st.integers(1, 4))
    def apply(self, data: st.DataObject, count: int) -> None:
        views = self.native.accounts([user.address for user in USERS], "pending")
        nonces = {user.address: view.nonce for user, view in zip(USERS, views, strict=True)}
        given = []
        for _ in range(count):
            decoded = transaction.recover(transaction.decode(data.draw(raw_transactions(nonces))))
            nonces[decoded.sender] = max(nonces[decoded.sender], decoded.nonce + 1)
            given.append(decoded)
        ours = self.native.apply(given)
        theirs = self.reference.apply([Call(*pack_transaction(one)) for one in given])
        for one, our, their in zip(given, ours, theirs, strict=True):
            if isinstance(their, Rejected):
                assert isinstance(our, Rejected), (one, their)
                assert str(our) == str(their)
                continue
            assert not isinstance(our, Rejected), (one, our, their)
            whole = outcome(
                one.type, our.succeeded, our.gas_used, our.cumulative_gas_used, our.contract_address, our.logs
            )
            assert whole == their, one
            assert (our.receipt, our.outcome_hash, our.logs_bloom) == (
                whole.receipt,
                whole.outcome_hash,
                whole.logs_bloom,
            )

    @precondition(lambda self: self.open)
    @rule()
    def mark(self) -> None:
        self.marks.append(self.native.mark())

    @precondition(lambda self: self.open and self.marks)
    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        mark = data.draw(st.sampled_from(self.marks))
        self.native.rewind(mark)
        self.reference.rewind(mark)
        self.marks = [one for one in self.marks if one <= mark]

    @precondition(lambda self: self.open)
    @rule()
    def seal(self) -> None:
        header = self.native.seal().header
        assert header == self.reference.seal()
        self.headers.append(header)
        self.open = False

    @precondition(lambda self: self.open)
    @rule()
    def cancel(self) -> None:
        self.native.cancel()
        self.reference.cancel()
        self.open = False

    @precondition(lambda self: self.committed < len(self.headers) - 1)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(self.committed + 1, len(self.headers) - 1))
        self.native.commit(number)
        self.reference.commit(number)
        self.committed = number
        assert self.native.height() == number

    @rule(data=st.data())
    def unwind(self, data: st.DataObject) -> None:
        to = data.draw(st.integers(0, len(self.headers) - 1))
        self.native.unwind(to)
        self.reference.unwind(to)
        self.open = False
        del self.headers[to + 1 :]
        self.committed = min(self.committed, to)
        assert self.native.height() == self.committed

    @rule()
    def restart(self) -> None:
        from execution.evm.native.engine import NativeEngine

        self.native.close()
        self.native = NativeEngine(self.folder / "native")
        assert self.native.open(self.genesis) == self.headers[0]
        assert self.native.height() == self.committed
        self.reference.unwind(self.committed)
        self.open = False
        del self.headers[self.committed + 1 :]

    def states(self) -> st.SearchStrategy[int | str]:
        return st.one_of(st.integers(0, len(self.headers) - 1), st.just("pending"))

    @rule(data=st.data(), slots=st.lists(data_words, max_size=3))
    def read(self, data: st.DataObject, slots: list[bytes]) -> None:
        at = data.draw(self.states())
        view = self.reference.view(self.reference.read_point(at).root)
        created = [USERS[0].created(nonce) for nonce in range(3)]
        addresses = [*TARGETS, *created, COINBASE, self.genesis.spec.fee_vault]
        for address, ours in zip(addresses, self.native.accounts(addresses, at), strict=True):
            theirs = view.account(address)
            expected = (theirs.nonce, theirs.balance, theirs.code_hash) if theirs else (0, 0, EMPTY_HASH)
            assert (ours.nonce, ours.balance_wei, ours.code_hash) == expected
            if theirs is None:
                continue
            code = b"" if theirs.code_hash == EMPTY_HASH else view.code(theirs.code_hash)
            assert self.native.code(address, at) == code
            stored = self.native.storage(address, [Hash32(slot) for slot in slots], at)
            for slot, ours_there in zip(slots, stored, strict=True):
                empty = theirs.storage_root == EMPTY_TRIE_ROOT
                value = 0 if empty else view.slot(theirs.storage_root, int.from_bytes(slot, "big"))
                assert int.from_bytes(ours_there, "big") == value

    @rule(data=st.data(), request=requests)
    def ask(self, data: st.DataObject, request: CallRequest) -> None:
        at = data.draw(self.states())
        point = self.reference.read_point(at)
        around = Surroundings(self.reference.view(point.root), point.context, RULES[point.fork])
        for ours, theirs in (
            (lambda: self.native.call(request, at, 200_000, 60.0), lambda: calls.call(request, around, 200_000)),
            (
                lambda: self.native.estimate(request, at, 200_000, 60.0),
                lambda: calls.estimate(request, around, 200_000),
            ),
        ):
            assert answer_of(ours) == answer_of(theirs)


def answer_of(ask: object) -> object:
    """What ``ask`` returns, or the text of its refusal."""
    try:
        return ask()  # type: ignore[operator]
    except Rejected as refusal:
        return str(refusal)


TestEngines = Engines.TestCase
TestEngines.settings = settings(stateful_step_count=25)
