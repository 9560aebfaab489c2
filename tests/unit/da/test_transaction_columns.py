"""The transactions section by table: what is cut, what is kept whole, and what is refused, by both encoders."""

import importlib
import sys
from types import ModuleType

import pytest

from da import limits, transaction_columns, transactions
from da.columns import ColumnWriter
from da.transaction_fields import cut, join
from sequencer.core.errors import Malformed
from tests.unit.da.transactions import CUT, WHOLE, Installed, typed

READABLE = [*CUT.values(), *(raw for raw in WHOLE.values() if raw)]
both = pytest.mark.parametrize("codec", [Installed, transaction_columns], ids=["installed", "python"])


@pytest.mark.parametrize("name", CUT)
def test_what_has_the_form_is_cut_and_comes_back(name: str) -> None:
    fields = cut(CUT[name])
    assert fields is not None
    assert join(fields) == CUT[name]


@pytest.mark.parametrize("name", WHOLE)
def test_everything_else_is_kept_whole(name: str) -> None:
    assert cut(WHOLE[name]) is None


@both
def test_all_forms_together_come_back(codec: ModuleType) -> None:
    section = codec.encode(READABLE)
    assert codec.decode(section, len(READABLE)) == READABLE
    assert codec.decode(codec.encode([]), 0) == []


@both
@pytest.mark.parametrize("name", [*CUT, *(name for name in WHOLE if name != "nothing")])
def test_the_encoders_agree_on_each_form(codec: ModuleType, name: str) -> None:
    raw = {**CUT, **WHOLE}[name]
    assert codec.encode([raw]) == transaction_columns.encode([raw])
    assert codec.decode(codec.encode([raw, raw]), 2) == [raw, raw]


@both
def test_an_empty_transaction_is_refused(codec: ModuleType) -> None:
    with pytest.raises(Malformed):
        codec.decode(codec.encode([b""]), 1)


@both
def test_nonces_are_written_the_shorter_way(codec: ModuleType) -> None:
    one_sender = [typed(nonce=n) for n in range(1000, 1400)]
    many = [typed(nonce=n * 37 % 61) for n in range(400)]
    assert len(codec.encode(one_sender)) <= len(codec.encode(many)) + 2
    for raws in (one_sender, many):
        assert codec.decode(codec.encode(raws), 400) == raws


def _section(shape: int, sizes: tuple[int, ...], rest: bytes = b"") -> bytes:
    out = ColumnWriter()
    out.fixed((bytes((shape,)),))
    out.deltas([1])
    out.uints((0, 0, *sizes))
    return out.finish() + rest


@both
@pytest.mark.parametrize(
    ("section", "count"),
    [
        (b"", 1),
        (b"\x04", 1),
        (b"\x10", 1),
        (b"\xff" * 40, 40),
        (b"\0" + b"\0", 1),
        (b"\0" + b"\x81\x80\x80\x08" + bytes(100), 1),
        (_section(3, (limits.MAX_BODY_BYTES + 1,)), 1),
        (_section(3, (64,), b"\x01\x01"), 1),
        (transaction_columns.encode([typed()]) + b"\0", 1),
        (transaction_columns.encode([typed()])[:-1], 1),
        (transaction_columns.encode([typed()]), 2),
    ],
    ids=["empty", "type 3", "creation of raw", "shapes", "empty raw", "raw too long", "data too long", "index",
         "too long", "too short", "count"],
)  # fmt: skip
def test_hostile_sections_are_refused(codec: ModuleType, section: bytes, count: int) -> None:
    with pytest.raises(Malformed):
        codec.decode(section, count)


@both
def test_short_columns_never_become_more_than_a_body(codec: ModuleType) -> None:
    size = 128 * 1024
    count = limits.MAX_BODY_BYTES // size + 1
    out = ColumnWriter()
    out.fixed((b"\x03" * count,))
    out.deltas([1] * count)
    out.uints([0, *[0] * count, *[size] * count])
    with pytest.raises(Malformed, match="more call data"):
        codec.decode(out.finish(), count)


@both
def test_a_section_that_is_not_the_encoding_of_its_transactions_is_refused(codec: ModuleType) -> None:
    raw = typed()
    whole = ColumnWriter()
    whole.fixed((b"\0",))
    whole.strings([raw])
    end = transaction_columns.encode([b"\x05"])[3:]
    with pytest.raises(Malformed, match="one encoding"):
        codec.decode(whole.finish() + end, 1)


def test_without_the_extension_the_section_is_made_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Installed.encode(READABLE)
    monkeypatch.setitem(sys.modules, "rollup_sequencer_native", None)
    try:
        python = importlib.reload(transactions)
        assert Installed.encode(READABLE) == expected
        assert python.decode(expected, len(READABLE)) == READABLE
    finally:
        monkeypatch.undo()
        importlib.reload(transactions)
