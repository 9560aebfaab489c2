"""Share commitments against the vectors: those that stand on the chain, and those of every shape of tree."""

import base64
import json
from typing import Any

import pytest

from da.celestia import commitment, namespace, shares
from sequencer.core.errors import Malformed
from tests.vectors import vectors_dir


def decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def load(kind: str) -> list[dict[str, Any]]:
    document = json.loads((vectors_dir() / "celestia" / "commitments.json").read_text())
    cases: list[dict[str, Any]] = document[kind]
    return cases


def data_of(case: dict[str, Any]) -> bytes:
    """Long data is not spelt out: byte i is (7 * i + length) mod 256."""
    if "data" in case:
        return decoded(case["data"])
    length = case["data_length"]
    return bytes((7 * i + length) % 256 for i in range(length))


def test_commitments_that_stand_on_the_chain() -> None:
    cases = load("onchain")
    assert len(cases) == 51
    for case in cases:
        space, data = namespace.parse(decoded(case["namespace"]).hex()), data_of(case)
        assert shares.count(len(data), case["share_version"]) == case["shares"]
        assert commitment.commitment(space, data, case["share_version"]) == decoded(case["commitment"])


def test_commitments_of_every_shape() -> None:
    cases = load("derived")
    assert len(cases) == 21
    for case in cases:
        space, data = namespace.parse(decoded(case["namespace"]).hex()), data_of(case)
        signer = decoded(case.get("signer", ""))
        pieces = shares.split(space, data, case["share_version"], signer)
        assert len(pieces) == shares.count(len(data), case["share_version"]) == case["shares"], case["note"]
        assert {len(piece) for piece in pieces} == {shares.SHARE_BYTES}
        width = commitment.subtree_width(len(pieces))
        assert width == case["subtree_width"], case["note"]
        assert commitment.mountain_sizes(len(pieces), width) == case["mountain_sizes"], case["note"]
        assert commitment.subtree_roots(space, pieces) == [decoded(root) for root in case["subtree_roots"]]
        found = commitment.commitment(space, data, case["share_version"], signer)
        assert found == decoded(case["commitment"]), case["note"]


@pytest.mark.parametrize(
    ("data", "version", "signer"),
    [(b"", 0, b""), (b"x", 2, b""), (b"x", 0, bytes(20)), (b"x", 1, b""), (b"x", 1, bytes(19))],
)
def test_what_no_node_would_take_has_no_commitment(data: bytes, version: int, signer: bytes) -> None:
    with pytest.raises(Malformed):
        commitment.commitment(namespace.from_name(b"sequencer"), data, version, signer)


@pytest.mark.parametrize("text", ["", "ff", "zz", "00" * 11, "01" + "00" * 28, "ff" * 29, "00" * 29])
def test_namespaces_that_nobody_may_use(text: str) -> None:
    with pytest.raises(Malformed):
        namespace.parse(text)


def test_a_namespace_by_its_name_and_by_all_its_bytes() -> None:
    space = namespace.from_name(b"sequencer")
    assert len(space) == namespace.SIZE
    assert namespace.parse(space.hex()) == namespace.parse("0x" + b"sequencer".hex()) == space
