"""The store of nodes: what it refuses to open, and what readers still find after a layer went out of use."""

from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from execution.evm.reference.node_store import NodeStore
from sequencer.core.errors import Fatal

A, B = b"\xaa" * 32, b"\xbb" * 32


def test_a_store_of_another_format_is_refused(tmp_path: Path) -> None:
    database = Rdict(str(tmp_path / "state"), Options(raw_mode=True))
    database.put(b"format", b"9")
    database.close()
    with pytest.raises(Fatal, match="has format b'9'"):
        NodeStore.open(tmp_path / "state")


def test_a_store_is_open_once(tmp_path: Path) -> None:
    store = NodeStore.open(tmp_path / "state")
    with pytest.raises(Fatal, match="cannot be opened"):
        NodeStore.open(tmp_path / "state")
    store.close()


def test_layers_are_read_newest_first_and_for_a_while_after_they_are_dropped(tmp_path: Path) -> None:
    store = NodeStore.open(tmp_path / "state")
    store.begin_layer(1)
    store.put(A, b"one")
    store.begin_layer(2)
    store.put(B, b"two")
    assert (store.get(A), store.get(B), store.get(b"\xcc" * 32)) == (b"one", b"two", None)
    assert (store.layer(1), store.layer(2)) == ({A: b"one"}, {B: b"two"})
    store.drop_layers(2)
    assert store.get(B) == b"two"
    store.commit([(1, b"header", {A: b"one"})])
    assert (store.height(), store.header(1), store.get(A)) == (1, b"header", b"one")
    for number in range(2, 30):
        store.begin_layer(number)
        store.drop_layers(number)
    assert store.get(B) is None, "not for ever"
    store.close()


def test_rows_taken_back_are_gone_after_a_restart(tmp_path: Path) -> None:
    store = NodeStore.open(tmp_path / "state")
    assert store.height() is None
    store.commit([(number, b"header %d" % number, {}) for number in range(4)])
    store.forget(3, 1)
    store.sync()
    store.close()
    store = NodeStore.open(tmp_path / "state")
    assert (store.height(), store.header(1), store.header(2), store.header(3)) == (1, b"header 1", None, None)
    store.close()
