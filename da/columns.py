"""Columns of integers and byte strings: how a batch body lays out many records of one shape.

Values of one field stand next to each other, so that equal and slowly changing ones vanish under zstd.

::

    uint     LEB128: 7 bits a byte, low group first, high bit = more follow; minimal
    delta    uint(zigzag(value - value before)), before the first stands 0; zigzag(n) = n >= 0 ? 2n : -2n - 1
    fixed    the bytes, without lengths
    string   uint(length) for each, then the bytes of all of them
    planes   byte strings whose lengths the reader knows, as numbers: the bytes of the highest place that any of
             them has, then those of the next lower place ... each place in the order of the values
    index    uint(n), n = number of different values, in the order in which they first occur; then for each value
             0 if it occurs for the first time, else the number of its first occurrence, from 1; in planes of as
             many bytes as n needs. The n values follow in a column of their own

Reading is strict: one encoding for each value, every count checked against the bytes that are left before
anything is allocated, and nothing but ``Malformed`` raised.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import TypeVar

from sequencer.core.errors import Malformed

_Value = TypeVar("_Value", int, bytes)
_Read = TypeVar("_Read")


def _index_bytes(count: int) -> int:
    return (count.bit_length() + 7) >> 3


def _number(known: dict[_Value, int], value: _Value) -> int:
    number = known.get(value, 0)
    if not number:
        known[value] = len(known) + 1
    return number


class ColumnWriter:
    """Appends columns to one byte string."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        self._out = bytearray()

    def uint(self, value: int) -> None:
        """One unsigned integer."""
        self.uints((value,))

    def uints(self, values: Iterable[int]) -> None:
        """A column of unsigned integers."""
        out = self._out
        for value in values:
            while value > 0x7F:
                out.append(value & 0x7F | 0x80)
                value >>= 7
            out.append(value)

    def deltas(self, values: Iterable[int]) -> None:
        """A column of integers, each as its difference from the one before."""
        zigzags = []
        previous = 0
        for value in values:
            delta = value - previous
            zigzags.append(delta << 1 if delta >= 0 else (-delta << 1) - 1)
            previous = value
        self.uints(zigzags)

    def fixed(self, values: Iterable[bytes]) -> None:
        """A column of byte strings whose size the reader knows."""
        self._out += b"".join(values)

    def strings(self, values: Sequence[bytes]) -> None:
        """A column of byte strings of any size."""
        self.uints(map(len, values))
        self.fixed(values)

    def planes(self, values: Sequence[bytes]) -> None:
        """A column of byte strings, place by place."""
        for place in range(max(map(len, values), default=0), 0, -1):
            self._out += bytes([value[-place] for value in values if len(value) >= place])

    def index(self, *columns: Sequence[_Value]) -> list[_Value]:
        """Columns over one set of values. Returns the different ones, to be written next."""
        known: dict[_Value, int] = {}
        rows = [[_number(known, value) for value in column] for column in columns]
        self.uint(len(known))
        size = _index_bytes(len(known))
        for row in rows:
            self.planes([number.to_bytes(size, "big") for number in row])
        return list(known)

    def finish(self) -> bytes:
        """Everything written."""
        return bytes(self._out)


class ColumnReader:
    """Reads columns in the order in which they were written. Every method raises ``Malformed``."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    def uint(self, maximum: int, name: str) -> int:
        """One unsigned integer of at most ``maximum``, which ``name`` names in the error."""
        value = self.uints(1, maximum.bit_length())[0]
        if value > maximum:
            raise Malformed(f"body: {name} is {value}, more than {maximum}")
        return value

    def uints(self, count: int, bits: int) -> list[int]:
        """``count`` unsigned integers of at most ``bits`` bits."""
        data, at = self._data, self._at
        if count > len(data) - at:
            raise Malformed("body: a column is longer than the bytes that are left")
        limit = 1 << bits
        values: list[int] = []
        append = values.append
        try:
            for _ in range(count):
                byte = data[at]
                at += 1
                value = byte
                if byte > 0x7F:
                    value &= 0x7F
                    shift = 7
                    while byte > 0x7F:
                        if shift >= bits:
                            raise Malformed(f"body: an integer has more than {bits} bits")
                        byte = data[at]
                        at += 1
                        value |= (byte & 0x7F) << shift
                        shift += 7
                    if byte == 0:
                        raise Malformed("body: an integer is not minimal")
                if value >= limit:
                    raise Malformed(f"body: an integer has more than {bits} bits")
                append(value)
        except IndexError:
            raise Malformed("body: a column is longer than the bytes that are left") from None
        self._at = at
        return values

    def deltas(self, count: int, bits: int) -> list[int]:
        """``count`` integers between 0 and ``2**bits - 1`` that were written as differences."""
        values = []
        value = 0
        for zigzag in self.uints(count, bits + 1):
            value += -((zigzag + 1) >> 1) if zigzag & 1 else zigzag >> 1
            if value < 0 or value >> bits:
                raise Malformed(f"body: a difference leaves the range of {bits} bits")
            values.append(value)
        return values

    def fixed(self, count: int, size: int) -> list[bytes]:
        """``count`` byte strings of ``size`` bytes."""
        block = self._take(count * size)
        return [block[at : at + size] for at in range(0, count * size, size)]

    def strings(self, count: int, max_size: int) -> list[bytes]:
        """``count`` byte strings of 1 to ``max_size`` bytes."""
        sizes = self.uints(count, max_size.bit_length())
        if sizes and not 0 < min(sizes) <= max(sizes) <= max_size:
            raise Malformed(f"body: a byte string is empty or longer than {max_size} bytes")
        return self.blocks(sizes)

    def section(self, max_size: int) -> bytes:
        """One byte string of at most ``max_size`` bytes."""
        return self._take(self.uint(max_size, "size of a section"))

    def blocks(self, sizes: Sequence[int]) -> list[bytes]:
        """Byte strings of these sizes, one after the other."""
        block = self._take(sum(sizes))
        ends = list(accumulate(sizes))
        return [block[end - size : end] for size, end in zip(sizes, ends, strict=True)]

    def planes(self, sizes: Sequence[int]) -> list[bytes]:
        """Byte strings of these sizes that were written place by place."""
        values = [bytearray(size) for size in sizes]
        for place in range(max(sizes, default=0), 0, -1):
            rows = [value for value in values if len(value) >= place]
            for value, byte in zip(rows, self._take(len(rows)), strict=True):
                value[-place] = byte
        return [bytes(value) for value in values]

    def index(self, *counts: int) -> tuple[list[list[int]], int]:
        """Columns of ``counts`` values over one set: for each value its place in the set, which is to be read
        next, and the size of the set."""
        different = self.uint(sum(counts), "number of different values")
        size = _index_bytes(different)
        rows = []
        new = 0
        for count in counts:
            row = []
            for encoded in self.planes([size] * count):
                number = int.from_bytes(encoded, "big")
                new += not number
                row.append((number or new) - 1)
            rows.append(row)
            if max(row, default=-1) >= different:
                raise Malformed("body: a value refers to none that is there")
        return rows, different

    def foreign(self, read: Callable[[bytes, int], tuple[_Read, int]]) -> _Read:
        """What ``read`` takes from the bytes and where it stands; it returns where the reader goes on."""
        taken, self._at = read(self._data, self._at)
        return taken

    def finish(self) -> None:
        """Nothing may be left over."""
        if self._at != len(self._data):
            raise Malformed("body: bytes after the last column")

    def _take(self, size: int) -> bytes:
        start, stop = self._at, self._at + size
        if stop > len(self._data):
            raise Malformed("body: a column is longer than the bytes that are left")
        self._at = stop
        return self._data[start:stop]
