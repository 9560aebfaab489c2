"""Whatever a world went through after a snapshot, reverting brings back what could be read at the snapshot."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from execution.evm.reference.state import StateTries, StateView
from execution.evm.reference.world import ExecutionContext, World
from sequencer.core.keccak import EMPTY_TRIE_ROOT
from sequencer.core.receipt import Log
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Address

ADDRESSES = [Address(bytes((n,)) * 20) for n in range(1, 5)]
address = st.sampled_from(ADDRESSES)
small = st.integers(0, 3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("set_balance"), address, small),
        st.tuples(st.just("set_nonce"), address, small),
        st.tuples(st.just("set_code"), address, st.sampled_from([b"", b"\0", b"\1\2"])),
        st.tuples(st.just("set_storage"), address, small, small),
        st.tuples(st.just("set_transient_storage"), address, small, st.sampled_from([b"", b"\7"])),
        st.tuples(st.just("touch_account"), address),
        st.tuples(st.just("mark_address_warm"), address),
        st.tuples(st.just("mark_storage_warm"), address, small),
        st.tuples(st.just("mark_created"), address),
        st.tuples(st.just("mark_destroyed"), address),
        st.tuples(st.just("add_log"), st.just(Log(ADDRESSES[0], (), b""))),
    ),
    max_size=12,
)


def _world() -> tuple[StateTries, World]:
    nodes: dict[bytes, bytes] = {}
    tries = StateTries(nodes.get, nodes.__setitem__)
    context = ExecutionContext(1, 1, 1, ZERO_ADDRESS, 1, 1, ZERO_HASH, 1)
    return tries, World(StateView(tries, EMPTY_TRIE_ROOT, lambda _number: ZERO_HASH), context, frozenset())


def _do(world: World, todo: list[tuple[Any, ...]]) -> None:
    for name, *arguments in todo:
        getattr(world, name)(*arguments)


def _readable(world: World) -> list[Any]:
    seen: list[Any] = [dict(world.created)]
    for at in ADDRESSES:
        seen += [world.peek(at), world.get_code(at), world.is_address_warm(at)]
        for slot in range(4):
            seen += [world.get_storage(at, slot), world.get_storage(at, slot, from_journal=False)]
            seen += [world.get_transient_storage(at, slot), world.is_storage_warm(at, slot)]
    return seen


@given(steps, steps, steps)
def test_reverting_restores_everything(
    before: list[tuple[Any, ...]], inner: list[tuple[Any, ...]], after: list[tuple[Any, ...]]
) -> None:
    tries, world = _world()
    _, expected = _world()
    _do(world, before)
    _do(expected, before)
    snapshot, seen = world.snapshot(), _readable(world)
    _do(world, inner)
    world.revert(snapshot)
    assert _readable(world) == seen
    _do(world, after)
    _do(expected, after)
    assert world.finish_transaction() == expected.finish_transaction()
    other = StateTries(lambda _hash: None, lambda _hash, _node: None)
    assert tries.write(EMPTY_TRIE_ROOT, world) == other.write(EMPTY_TRIE_ROOT, expected)


@given(steps)
def test_an_abandoned_transaction_leaves_nothing(todo: list[tuple[Any, ...]]) -> None:
    tries, world = _world()
    _do(world, todo)
    world.abandon_transaction()
    assert world.finish_transaction() == ()
    assert tries.write(EMPTY_TRIE_ROOT, world) == EMPTY_TRIE_ROOT
