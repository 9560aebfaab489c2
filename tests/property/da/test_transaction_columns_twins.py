"""What Rust makes of the parts of a body that grow with its transactions, and what Python makes of them."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from da import body, transactions
from da.blocks import BatchBlock
from da.columns import ColumnReader, ColumnWriter
from sequencer.core import merkle
from sequencer.core.entries import ArrivalRecord
from sequencer.core.errors import Malformed
from sequencer.core.flashblock import order_leaves
from sequencer.core.keccak import keccak256
from tests.unit.da.chains import make_blocks
from tests.unit.da.transactions import CUT, WHOLE

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")


def _without_the_extension() -> ModuleType:
    """A second copy of the module, which finds no extension."""
    spec = importlib.util.find_spec("da.transactions")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "rollup_sequencer_native", None)
        spec.loader.exec_module(module)
    return module


PYTHON = _without_the_extension()
u64 = st.integers(0, 2**64 - 1)
arrivals = st.lists(st.builds(ArrivalRecord, u64, u64, st.integers(0, 255)), max_size=30)
BLOCKS = make_blocks(4, seed=7)


raws = st.lists(st.sampled_from([*CUT.values(), *WHOLE.values()]).filter(len), max_size=4)


def _written(module: ModuleType, given: list[tuple[list[bytes], list[ArrivalRecord]]]) -> bytes:
    out = ColumnWriter()
    module.gather(given).write(out)
    return out.finish()


@given(st.lists(st.tuples(raws, arrivals), max_size=4))
def test_what_is_gathered_has_one_encoding_and_reads_back(given: list[tuple[list[bytes], list[ArrivalRecord]]]) -> None:
    encoded = _written(transactions, given)
    assert encoded == _written(PYTHON, given)
    for module in (transactions, PYTHON):
        reader = ColumnReader(b"\x03" + encoded + b"\x05", 1)
        assert module.gather(given).holds(reader)
        assert reader.uint(9, "what follows") == 5


@given(arrivals)
def test_arrivals_read_back(given: list[ArrivalRecord]) -> None:
    encoded = _written(transactions, [([], given)])
    for module in (transactions, PYTHON):
        reader = ColumnReader(encoded + b"\x05")
        size = reader.uint(99, "size of the section")
        assert len(reader.blocks([size])[0]) == size
        assert module.read_arrivals(reader, len(given)) == given
        assert reader.uint(9, "what follows") == 5


@given(st.binary(max_size=200), st.lists(st.tuples(raws, arrivals), max_size=2), st.data())
def test_nothing_else_reads_as_what_is_gathered(
    data: bytes, given: list[tuple[list[bytes], list[ArrivalRecord]]], draw: st.DataObject
) -> None:
    encoded = bytearray(_written(transactions, given))
    at = draw.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= draw.draw(st.integers(1, 255))
    for hostile in (bytes(encoded), bytes(encoded[:at]), data):
        for module in (transactions, PYTHON):
            reader = ColumnReader(hostile)
            try:
                assert not module.gather(given).holds(reader) or hostile.startswith(_written(PYTHON, given))
            except Malformed:
                continue


@given(st.binary(max_size=60), st.integers(0, 20))
def test_hostile_arrivals_are_refused_alike(data: bytes, count: int) -> None:
    def read(module: ModuleType) -> list[ArrivalRecord] | None:
        try:
            found: list[ArrivalRecord] = module.read_arrivals(ColumnReader(data), count)
        except Malformed:
            return None
        return found

    assert read(transactions) == read(PYTHON)


@given(
    st.lists(st.tuples(st.integers(0, 2**20), st.lists(st.binary(min_size=1, max_size=200), max_size=9)), max_size=9)
)
def test_order_roots(given: list[tuple[int, list[bytes]]]) -> None:
    firsts = [first for first, _ in given]
    expected = [merkle.root(order_leaves(first, [keccak256(raw) for raw in own])) for first, own in given]
    for module in (transactions, PYTHON):
        assert module.gather((own, ()) for _, own in given).order_roots(firsts) == expected


Change = Callable[[BatchBlock], BatchBlock]


def _first_flashblock(**changes: object) -> Change:
    def change(block: BatchBlock) -> BatchBlock:
        first, *others = block.flashblocks
        return replace(block, flashblocks=(replace(first, **changes), *others))  # type: ignore[arg-type]

    return change


FULL = next(at for at, block in enumerate(BLOCKS) if len(block.flashblocks) > 1)
FIRST = BLOCKS[FULL].flashblocks[0]
OTHER = (*FIRST.transactions[:-1], FIRST.transactions[-1] + b"\0")
LATER = (*FIRST.arrivals[:-1], FIRST.arrivals[-1]._replace(age_ms=FIRST.arrivals[-1].age_ms + 1))


@pytest.mark.parametrize("module", [transactions, PYTHON], ids=["rust", "python"])
@pytest.mark.parametrize(
    "change",
    [
        _first_flashblock(transactions=OTHER),
        _first_flashblock(arrivals=LATER),
        _first_flashblock(flashblock=replace(FIRST.flashblock, post_by=FIRST.flashblock.post_by + 1)),
        _first_flashblock(transactions=FIRST.transactions[:-1]),
        _first_flashblock(arrivals=FIRST.arrivals[:-1]),
        lambda block: replace(block, flashblocks=block.flashblocks[1:]),
        lambda block: replace(block, attributes=replace(block.attributes, timestamp=block.attributes.timestamp + 1)),
    ],
    ids=["transaction", "arrival", "struct", "transaction missing", "arrival missing", "flashblock missing", "block"],
)
def test_a_body_holds_its_own_blocks_and_no_others(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, change: Change
) -> None:
    monkeypatch.setattr(body, "transactions", module)
    encoded = body.encode(BLOCKS)
    assert body.holds(encoded, BLOCKS)
    others = [*BLOCKS[:FULL], change(BLOCKS[FULL]), *BLOCKS[FULL + 1 :]]
    try:
        same = body.holds(encoded, others)
    except Malformed:
        same = False
    assert not same
