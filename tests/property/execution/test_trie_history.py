"""A trie that lived through any history equals one built at once, and forgets nothing of its past."""

from hypothesis import given
from hypothesis import strategies as st

from execution.evm.reference.trie import Trie, root_of
from sequencer.core.keccak import EMPTY_TRIE_ROOT

keys = st.binary(min_size=1, max_size=3).map(lambda key: key * 2) | st.binary(min_size=32, max_size=32)
values = st.just(b"") | st.binary(min_size=1, max_size=40)
histories = st.lists(st.dictionaries(keys, values, max_size=6), max_size=8)


@given(histories)
def test_the_root_depends_on_the_contents_alone(history: list[dict[bytes, bytes]]) -> None:
    nodes: dict[bytes, bytes] = {}
    contents: dict[bytes, bytes] = {}
    past = [(EMPTY_TRIE_ROOT, contents)]
    root = EMPTY_TRIE_ROOT
    for changes in history:
        root = Trie(nodes.get, nodes.__setitem__).update(root, changes)
        contents = {key: value for key, value in (contents | changes).items() if value}
        assert root == root_of(contents)
        past.append((root, contents))
    fresh = Trie(nodes.get, nodes.__setitem__)
    everything = {key for changes in history for key in changes}
    for old_root, old_contents in past:
        assert {key: fresh.get(old_root, key) for key in everything} == {
            key: old_contents.get(key, b"") for key in everything
        }
