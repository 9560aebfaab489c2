"""The shared RLP vectors, valid and invalid."""

import json

import pytest

from sequencer.core import rlp
from sequencer.core.errors import Malformed
from tests.vectors import vectors_dir


def _item(value: object) -> rlp.Item:
    if isinstance(value, list):
        return [_item(part) for part in value]
    if isinstance(value, int):
        return rlp.uint(value)
    assert isinstance(value, str)
    return rlp.uint(int(value[1:])) if value.startswith("#") else value.encode()


def test_valid_and_invalid_vectors() -> None:
    vectors = json.loads((vectors_dir() / "evm-codec" / "rlp-tests.json").read_text())
    valid = vectors["rlptest"]
    assert valid
    for case in valid.values():
        encoded = bytes.fromhex(case["out"].removeprefix("0x"))
        assert rlp.encode(_item(case["in"])) == encoded
        assert rlp.encode(rlp.decode(encoded)) == encoded
    invalid = vectors["invalidRLPTest"]
    assert invalid
    for case in invalid.values():
        with pytest.raises(Malformed):
            rlp.decode(bytes.fromhex(case["out"].removeprefix("0x")))
