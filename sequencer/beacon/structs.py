"""Names and widths of the fields of signed structs, read from their EIP-712 types, so that no list can differ."""

import re
from dataclasses import dataclass, fields
from typing import Any, Final, Generic, TypeVar

from sequencer.core.batch import BATCH_HEADER_TYPE, BatchHeader
from sequencer.core.flashblock import FLASHBLOCK_TYPE, Flashblock

_T = TypeVar("_T")
_FIELD: Final = re.compile(r"(uint(\d+)|bytes32) (\w+)")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name in Python, in JSON and Solidity, and its type there."""

    attribute: str
    name: str
    solidity: str
    bits: int
    """Of an unsigned integer; 0 for 32 bytes."""


@dataclass(frozen=True, slots=True)
class Struct(Generic[_T]):
    """A signed struct and its fields in order."""

    make: type[_T]
    fields: tuple[Field, ...]

    @property
    def solidity(self) -> str:
        """The tuple type, as function signatures write it."""
        return "(" + ",".join(field.solidity for field in self.fields) + ")"


def _struct(make: type[_T], eip712_type: str) -> Struct[_T]:
    attributes = [spec.name for spec in fields(make)]  # type: ignore[arg-type]
    named = [
        Field(attribute, name, solidity, int(bits or 0))
        for attribute, (solidity, bits, name) in zip(attributes, _FIELD.findall(eip712_type), strict=True)
    ]
    return Struct(make, tuple(named))


FLASHBLOCK: Final[Struct[Flashblock]] = _struct(Flashblock, FLASHBLOCK_TYPE)
BATCH_HEADER: Final[Struct[BatchHeader]] = _struct(BatchHeader, BATCH_HEADER_TYPE)


def values(struct: Struct[Any], instance: object) -> list[int | bytes]:
    """The field values of ``instance`` in order."""
    return [getattr(instance, field.attribute) for field in struct.fields]
