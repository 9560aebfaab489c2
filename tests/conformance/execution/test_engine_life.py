"""What every execution engine keeps, gives back and forgets: marks, cancelled blocks, restarts, reads in between."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sequencer.core.errors import Fatal, Temporary
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.keccak import EMPTY_HASH
from sequencer.core.types import Address, Hash32
from tests.conformance.execution.bytecode import word, words
from tests.conformance.execution.chains import CONTRACTS, Chain, EngineMaker, genesis

STRANGER = Address(b"\x5e" * 20)


@pytest.fixture
def opened(maker: EngineMaker, request: pytest.FixtureRequest) -> Iterator[Callable[[], Chain]]:
    """Opens the state of this test's own chain, again and again."""
    closing: list[Chain] = []

    def open_again() -> Chain:
        while closing:
            closing.pop().engine.close()
        first = genesis()
        engine = maker.make(request.node.name.split("[")[0])
        chain = Chain(engine, maker, first, engine.open(first))
        closing.append(chain)
        return chain

    yield open_again
    for chain in closing:
        chain.engine.close()


def test_a_rewound_block_is_as_if_nothing_had_been_applied(chain: Chain) -> None:
    a, b = chain.users[:2]
    first, second = a.send(STRANGER, 1), b.send(CONTRACTS["STORE"], 0, words(1, 2))
    expected = chain.block(first, second).header
    chain.engine.unwind(0)
    chain.head = chain.engine.open(chain.genesis)

    chain.begin()
    start = chain.engine.mark()
    chain.execute(first)
    middle = chain.engine.mark()
    chain.execute(a.send(STRANGER, 100))
    chain.execute(b.send(CONTRACTS["STORE"], 0, words(1, 99), nonce=0))
    chain.engine.rewind(middle)
    assert (chain.balance(STRANGER), chain.slot("STORE", 1)) == (1, 0)
    chain.engine.rewind(start)
    assert chain.balance(STRANGER) == 0
    chain.execute(first)
    chain.execute(second)
    assert chain.seal().header == expected


def test_a_rewind_gives_the_gas_back(chain: Chain) -> None:
    chain.begin(gas_limit=42_000)
    mark = chain.engine.mark()
    chain.execute(chain.users[0].send(STRANGER, 1, gas=21_000))
    chain.execute(chain.users[1].send(STRANGER, 1, gas=21_000))
    chain.engine.rewind(mark)
    chain.execute(chain.users[2].send(STRANGER, 1, gas=42_000))
    block = chain.seal()
    assert (len(block.transactions), block.header.gas_used) == (1, 21_000)


def test_marks_after_the_one_gone_back_to_are_void(chain: Chain) -> None:
    chain.begin()
    start = chain.engine.mark()
    chain.execute(chain.users[0].send(STRANGER, 1))
    later = chain.engine.mark()
    chain.engine.rewind(start)
    with pytest.raises(Fatal):
        chain.engine.rewind(later)


def test_a_cancelled_block_leaves_the_newest_sealed_state(chain: Chain) -> None:
    chain.block(chain.users[0].send(STRANGER, 1))
    chain.begin()
    chain.execute(chain.users[0].send(STRANGER, 5))
    chain.engine.cancel()
    assert chain.balance(STRANGER) == 1
    chain.engine.cancel()
    chain.block(chain.users[0].send(STRANGER, 2, nonce=1))
    assert chain.balance(STRANGER) == 3


def test_reads_see_pending_latest_and_past_states_apart(chain: Chain) -> None:
    sender = chain.users[0]
    chain.block(sender.send(CONTRACTS["STORE"], 0, words(1, 11)))
    chain.block(sender.send(CONTRACTS["STORE"], 0, words(1, 22)))
    chain.engine.commit(1)
    chain.begin()
    chain.execute(sender.send(CONTRACTS["STORE"], 0, words(1, 33)))
    assert [chain.slot("STORE", 1, at) for at in (0, 1, 2, "pending")] == [0, 11, 22, 33]
    assert [chain.engine.accounts([sender.address], at)[0].nonce for at in (0, 1, 2, "pending")] == [0, 1, 2, 3]
    for at in (3, 99):
        with pytest.raises(Temporary):
            chain.balance(STRANGER, at)


def test_reads_answer_in_the_order_asked(chain: Chain) -> None:
    addresses = [chain.users[3].address, STRANGER, CONTRACTS["LOAD"], chain.users[3].address]
    views = chain.engine.accounts(addresses, 0)
    assert [view.balance_wei > 0 for view in views] == [True, False, False, True]
    assert views[1].code_hash == EMPTY_HASH
    slots = [Hash32(word(7)), Hash32(word(8)), Hash32(word(7))]
    assert chain.engine.storage(CONTRACTS["LOAD"], slots, 0) == [word(77), word(0), word(77)]
    assert chain.engine.storage(STRANGER, slots, 0) == [word(0)] * 3
    assert chain.engine.code(STRANGER, 0) == b""


def test_genesis_opens_to_the_same_header_and_no_other(opened: Callable[[], Chain], maker: EngineMaker) -> None:
    first = opened()
    assert first.engine.height() == 0
    assert first.engine.open(first.genesis) == first.head
    again = opened()
    assert again.head == first.head
    other = genesis()
    other = type(other)(other.spec, other.timestamp, {**other.accounts, STRANGER: GenesisAccount(1)})
    with pytest.raises(Fatal, match="another genesis"):
        again.engine.open(other)


def test_a_restart_finds_what_was_committed_and_nothing_else(opened: Callable[[], Chain]) -> None:
    chain = opened()
    raws = [chain.users[0].send(CONTRACTS["STORE"], 0, words(n, n + 1)) for n in range(3)]
    headers = [chain.block(raw).header for raw in raws]
    chain.engine.commit(2)
    chain.engine.sync()
    assert chain.engine.height() == 2
    chain.begin()

    again = opened()
    assert again.engine.height() == 2
    assert [again.slot("STORE", n) for n in range(3)] == [1, 2, 0]
    assert again.slot("STORE", 1, at=1) == 0
    with pytest.raises(Temporary):
        again.slot("STORE", 0, at=3)
    again.head = headers[1]
    assert again.block(raws[2]).header == headers[2], "a sealed block that was lost comes back by replay"


def test_commits_may_lag_and_take_many_blocks_at_once(opened: Callable[[], Chain]) -> None:
    chain = opened()
    for number in range(1, 21):
        chain.block(chain.users[0].send(CONTRACTS["STORE"], 0, words(number, number)))
        if number == 7:
            chain.engine.commit(5)
    chain.engine.commit(20)
    chain.engine.commit(20)
    chain.engine.commit(3)
    again = opened()
    assert again.engine.height() == 20
    assert [again.slot("STORE", number) for number in range(1, 21)] == list(range(1, 21))
    assert again.slot("STORE", 6, at=5) == 0
    with pytest.raises(Fatal):
        again.engine.commit(21)


def test_unwinding_drops_sealed_and_committed_blocks(opened: Callable[[], Chain]) -> None:
    chain = opened()
    raws = [chain.users[0].send(CONTRACTS["STORE"], 0, words(1, n + 1)) for n in range(6)]
    headers = [chain.block(raw).header for raw in raws]
    chain.engine.commit(4)
    chain.begin()
    chain.engine.unwind(5)
    assert (chain.engine.height(), chain.slot("STORE", 1)) == (4, 5)
    chain.engine.unwind(2)
    assert (chain.engine.height(), chain.slot("STORE", 1)) == (2, 2)
    with pytest.raises(Temporary):
        chain.slot("STORE", 1, at=3)
    with pytest.raises(Fatal):
        chain.engine.unwind(3)
    chain.head = headers[1]
    assert [chain.block(raw).header for raw in raws[2:]] == headers[2:]
    chain.engine.commit(6)
    again = opened()
    again.engine.unwind(3)
    again.head = headers[2]
    assert again.block(raws[3]).header == headers[3]
    again.engine.unwind(0)
    assert opened().engine.height() == 0


def test_a_block_may_begin_before_the_one_before_it_is_committed(chain: Chain) -> None:
    a = chain.users[0]
    chain.block(a.send(CONTRACTS["STORE"], 0, words(1, 1)))
    chain.begin()
    chain.execute(a.send(CONTRACTS["STORE"], 0, words(2, 2)))
    chain.engine.commit(1)
    chain.execute(a.send(CONTRACTS["STORE"], 0, words(3, 3)))
    chain.seal()
    chain.engine.commit(2)
    assert [chain.slot("STORE", n) for n in (1, 2, 3)] == [1, 2, 3]


def test_an_engine_says_what_it_is(chain: Chain, tmp_path: Path) -> None:
    assert chain.engine.name in ("native", "reference")
    assert {"cancun", "prague"} <= set(chain.engine.forks)


def test_cancun_rules_are_not_pragues(maker: EngineMaker) -> None:
    first = genesis("cancun")
    engine = maker.make("cancun")
    try:
        chain = Chain(engine, maker, first, engine.open(first))
        assert chain.head.requests_hash is None
        chain.begin()
        cheap = chain.users[0].send(STRANGER, data=b"\1" * 100, gas=22_600)
        assert chain.execute(cheap).gas_used == 22_600, "no floor for call data before EIP-7623"
        set_code = chain.users[0].send(STRANGER, kind=4, authorizations=[chain.users[1].authorize(STRANGER, 0)])
        chain.refused(set_code)
        header = chain.seal().header
        assert header.requests_hash is None
        assert header.parent_beacon_block_root is not None
    finally:
        engine.close()
