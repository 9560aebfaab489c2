"""The trie against public vectors, and the promises that the rest of the engine builds on."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from trie import HexaryTrie

from execution.evm.reference.trie import MissingNode, Trie, root_of, root_of_list
from sequencer.core import rlp
from sequencer.core.keccak import EMPTY_TRIE_ROOT, keccak256
from sequencer.core.types import Hash32
from tests.vectors import vectors_dir


def _bytes(text: str | None) -> bytes:
    if text is None:
        return b""
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()


def _trie(nodes: dict[bytes, bytes]) -> Trie:
    return Trie(nodes.get, nodes.__setitem__)


def _in_order(pairs: Any, secure: bool) -> Hash32:
    """The root after each pair in turn, saved to nodes and loaded back every time."""
    nodes: dict[bytes, bytes] = {}
    root = EMPTY_TRIE_ROOT
    for key, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
        hashed = keccak256(_bytes(key)) if secure else _bytes(key)
        root = _trie(nodes).update(root, {hashed: _bytes(value)})
    return root


def test_public_vectors() -> None:
    document = json.loads((vectors_dir() / "evm-codec" / "trie-tests.json").read_text())
    checked = 0
    for folder, tests in document.items():
        for name, test in tests.items():
            secure = "secure" in folder.lower()
            assert _in_order(test["in"], secure).hex() == test["root"][2:], (folder, name)
            checked += 1
    assert checked == 15


def test_an_empty_trie_has_the_known_root() -> None:
    assert root_of({}) == root_of_list([]) == EMPTY_TRIE_ROOT
    assert _trie({}).get(EMPTY_TRIE_ROOT, b"key") == b""


def test_deleting_everything_leads_back_to_the_empty_root() -> None:
    nodes: dict[bytes, bytes] = {}
    trie = _trie(nodes)
    keys = [keccak256(bytes((n,))) for n in range(50)]
    root = trie.update(EMPTY_TRIE_ROOT, {key: key for key in keys})
    for key in keys:
        root = trie.update(root, {key: b""})
    assert root == EMPTY_TRIE_ROOT


def test_deleting_what_is_not_there_changes_nothing() -> None:
    nodes: dict[bytes, bytes] = {}
    trie = _trie(nodes)
    root = trie.update(EMPTY_TRIE_ROOT, {b"dog": b"puppy", b"do": b"verb", b"horse": b"stallion" * 9})
    before = dict(nodes)
    for absent in (b"d", b"dogs", b"hors", b"cat", b"doge", b""):
        assert trie.update(root, {absent: b""}) == root
    assert nodes == before


def test_an_old_root_stays_readable() -> None:
    trie = _trie({})
    first = trie.update(EMPTY_TRIE_ROOT, {b"k" * 32: b"old"})
    second = trie.update(first, {b"k" * 32: b"new"})
    assert (trie.get(first, b"k" * 32), trie.get(second, b"k" * 32)) == (b"old", b"new")


@pytest.mark.parametrize("value", [b"v", b"w" * 40], ids=["inside other nodes", "by hash"])
def test_a_proof_holds_by_another_implementation(value: bytes) -> None:
    trie = _trie({})
    keys = [b"", b"d", b"do", b"dog", b"doge", b"horse", bytes((0x64, 0x6E)), *(bytes((n, n)) for n in range(40))]
    root = trie.update(EMPTY_TRIE_ROOT, {key: value + key for key in keys})
    for key in (*keys, b"x", b"dogs", b"hors", b"\x01", b"\x01\x02"):
        nodes = trie.proof(root, key)
        assert keccak256(nodes[0]) == root
        shown = HexaryTrie.get_from_proof(root, key, [rlp.decode(node) for node in nodes])
        assert shown == (value + key if key in keys else b"")
    assert trie.proof(EMPTY_TRIE_ROOT, b"dog") == []


def test_a_missing_node_is_named() -> None:
    with pytest.raises(MissingNode, match="0x" + "11" * 32):
        _trie({}).get(b"\x11" * 32, b"key")


def test_walking_yields_what_was_added_and_enters_nothing_else() -> None:
    old: dict[bytes, bytes] = {}
    new: dict[bytes, bytes] = {}
    root = _trie(old).update(EMPTY_TRIE_ROOT, {keccak256(bytes((n,))): b"v" * 40 for n in range(100)})

    trie = Trie(lambda key: new.get(key) or old.get(key), new.__setitem__)
    passing = trie.update(root, {keccak256(b"\x05"): b"passing" * 9})
    changed = trie.update(passing, {keccak256(b"\x05"): b"w" * 40, keccak256(b"new"): b"x" * 40})
    walked = list(trie.walk(changed, new.get))
    nodes = {key: value for key, value in walked if key}
    assert {value for key, value in walked if not key} >= {b"w" * 40, b"x" * 40}
    assert nodes.items() <= new.items()
    assert passing not in nodes
    assert (
        Trie(lambda key: nodes.get(key) or old.get(key), new.__setitem__).get(changed, keccak256(b"\x05")) == b"w" * 40
    )
