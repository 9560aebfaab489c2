"""What transactions do, as columns: recipients, values and call data.

Call data is a selector of 4 bytes if its length is no multiple of 32, then words of 32 bytes, of which the first
8 stand in columns by their position, then what is left over. Every call of one function has the same arguments
in the same positions, so a column holds equal things. Amounts are mostly round in decimals: a number is
``mantissa * 10**exponent`` with the largest exponent there is, 0 for 0; the length of the mantissa is that of
its bytes without leading zeros. Addresses are one set, whether called or named in call data.

::

    index selector, values fixed(4)             of call data that has one
    fixed length(1) of the value's mantissa     m
    fixed class(1) of the word                  words in columns, one position after the other
          0 to 16: below 2**128, length of the mantissa; 17: else an address, after 12 zeros; 18: any other
    fixed exponent(1)                           m of the values, then of the words of class 0 to 16
    planes mantissa                             of the values, then for each position of the words of class 0 to 16
    index to, words of class 17 for each position, values fixed(20)
    fixed word(32)                              words of class 18, one position after the other
    fixed rest of the call data                 m
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from da.columns import ColumnReader, ColumnWriter
from da.transaction_fields import Fields
from sequencer.core import rlp
from sequencer.core.errors import Malformed

POSITIONS: Final = 8
_WORD: Final = 32
_NUMBER: Final = 16
_ADDRESS: Final = 17
_OTHER: Final = 18
_LARGEST_EXPONENT: Final = 77

_Decimal = tuple[bytes, int]
"""Mantissa and exponent."""


@dataclass(frozen=True, slots=True)
class _Position:
    """The words of one position, sorted by class."""

    classes: bytearray = field(default_factory=bytearray)
    numbers: list[_Decimal] = field(default_factory=list)
    addresses: list[bytes] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)

    def add(self, word: bytes) -> None:
        if not any(word[: _WORD - _NUMBER]):
            number = _decimal(int.from_bytes(word, "big"))
            self.numbers.append(number)
            self.classes.append(len(number[0]))
        elif not any(word[:12]):
            self.addresses.append(word[12:])
            self.classes.append(_ADDRESS)
        else:
            self.others.append(word)
            self.classes.append(_OTHER)


@dataclass(frozen=True, slots=True)
class Calls:
    """What was read. ``to`` is empty where a contract is created."""

    to: list[bytes]
    values: list[int]
    datas: list[bytes]


def write(out: ColumnWriter, fields: Sequence[Fields]) -> None:
    """Append the columns of ``fields``."""
    selectors, rests = [], []
    positions = [_Position() for _ in range(POSITIONS)]
    for one in fields:
        selector, words = _division(len(one.data))
        if selector:
            selectors.append(one.data[:selector])
        for number in range(words):
            positions[number].add(one.data[selector + number * _WORD :][:_WORD])
        rests.append(one.data[selector + words * _WORD :])
    out.fixed(out.index(selectors))
    values = [_decimal(one.value) for one in fields]
    out.fixed((bytes(len(mantissa) for mantissa, _ in values),))
    out.fixed(bytes(position.classes) for position in positions)
    columns = [values, *(position.numbers for position in positions)]
    for column in columns:
        out.fixed((bytes(exponent for _, exponent in column),))
    for column in columns:
        out.planes([mantissa for mantissa, _ in column])
    out.fixed(out.index([one.to for one in fields if one.to], *(position.addresses for position in positions)))
    for position in positions:
        out.fixed(position.others)
    out.fixed(rests)


def read(reader: ColumnReader, sizes: Sequence[int], creations: Sequence[bool]) -> Calls:
    """Read the columns of transactions whose call data has ``sizes``. Raises ``Malformed``."""
    divisions = [_division(size) for size in sizes]
    (places,), different = reader.index(sum(selector > 0 for selector, _ in divisions))
    known = reader.fixed(different, 4)
    selectors = iter([known[place] for place in places])
    value_sizes, classes = _read_classes(reader, divisions)
    values, *numbers = _read_numbers(reader, value_sizes, classes)
    counts = (creations.count(False), *(column.count(_ADDRESS) for column in classes))
    (targets, *named), different = reader.index(*counts)
    addresses = reader.fixed(different, 20)
    words = [
        _words(column, iter(number), iter([addresses[place] for place in row]), iter(others))
        for column, number, row, others in zip(classes, numbers, named, _read_others(reader, classes), strict=True)
    ]
    rests = reader.blocks(
        [size - selector - count * _WORD for size, (selector, count) in zip(sizes, divisions, strict=True)]
    )
    datas = [
        b"".join((next(selectors) if selector else b"", *(next(column) for column in words[:count]), rest))
        for (selector, count), rest in zip(divisions, rests, strict=True)
    ]
    target = iter([addresses[place] for place in targets])
    return Calls([b"" if creation else next(target) for creation in creations], values, datas)


def _division(size: int) -> tuple[int, int]:
    """Bytes of the selector, and words in columns, of call data of ``size`` bytes."""
    selector = 4 if size % _WORD and size >= 4 else 0
    return selector, min((size - selector) // _WORD, POSITIONS)


def _decimal(value: int) -> _Decimal:
    exponent = 0
    while value and value % 10 == 0:
        value //= 10
        exponent += 1
    return rlp.uint(value), exponent


def _number(mantissa: bytes, exponent: int, size: int) -> int:
    value = int.from_bytes(mantissa, "big") * 10**exponent if exponent <= _LARGEST_EXPONENT else 1 << 256
    if value >> 8 * size:
        raise Malformed(f"body: a number has more than {size} bytes")
    return value


def _read_classes(reader: ColumnReader, divisions: Sequence[tuple[int, int]]) -> tuple[bytes, list[bytes]]:
    (sizes,) = reader.blocks([len(divisions)])
    if max(sizes, default=0) > _WORD:
        raise Malformed("body: a value has more than 256 bits")
    counts = [sum(words > position for _, words in divisions) for position in range(POSITIONS)]
    classes = reader.blocks(counts)
    if max(b"".join(classes), default=0) > _OTHER:
        raise Malformed("body: a word of unknown class")
    return sizes, classes


def _read_numbers(reader: ColumnReader, value_sizes: bytes, classes: Sequence[bytes]) -> list[list[int]]:
    """The values, then the numbers among the words of each position."""
    columns = [value_sizes, *(bytes(kind for kind in column if kind <= _NUMBER) for column in classes)]
    bounds = [_WORD, *(_NUMBER for _ in classes)]
    exponents = reader.blocks([len(column) for column in columns])
    mantissas = [reader.planes(column) for column in columns]
    return [
        [_number(mantissa, exponent, bound) for mantissa, exponent in zip(*column, strict=True)]
        for *column, bound in zip(mantissas, exponents, bounds, strict=True)
    ]


def _read_others(reader: ColumnReader, classes: Sequence[bytes]) -> list[list[bytes]]:
    return [reader.fixed(column.count(_OTHER), _WORD) for column in classes]


def _words(
    classes: bytes, numbers: Iterator[int], addresses: Iterator[bytes], others: Iterator[bytes]
) -> Iterator[bytes]:
    """The words of one position, in order."""
    for kind in classes:
        if kind <= _NUMBER:
            yield next(numbers).to_bytes(_WORD, "big")
        else:
            yield bytes(12) + next(addresses) if kind == _ADDRESS else next(others)
