"""The Merkle-Patricia trie (Yellow Paper, appendix D), written as functions from root to root.

Nodes are never changed, only added: an update copies the path it changes and hands every new node to the
store under its hash. So a root names a whole state for good, readers need no lock, and going back to an
earlier state is going back to its root.

In memory a node is a list, and a reference to one is empty bytes (nothing there), the 32-byte hash of its
encoding, or the list itself while it has no hash yet or its encoding is shorter than 32 bytes::

    branch              [16 references, value]
    leaf or extension   [path, is leaf, value or reference]      path: one byte a nibble
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from sequencer.core import rlp
from sequencer.core.errors import Fatal
from sequencer.core.keccak import EMPTY_TRIE_ROOT, keccak256
from sequencer.core.types import Hash32

Node: TypeAlias = list[Any]
Reference: TypeAlias = "bytes | Node"

_HEX_TO_NIBBLES: Final = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))
_NIBBLES_TO_HEX: Final = bytes.maketrans(bytes(range(16)), b"0123456789abcdef")
_DECODED_LIMIT: Final = 50_000
"""Decoded nodes kept, at about 1.5 kB each; when full, all are dropped and the hot ones come back at once."""


class MissingNode(Fatal):
    """A node that a root leads to is not in the store."""


class Trie:
    """Reads and updates tries whose nodes are in one store.

    ``load`` returns the bytes stored under a hash, or None; ``store`` adds some. Both may be called for
    any root. Reading is safe from other threads while one updates.
    """

    def __init__(self, load: Callable[[bytes], bytes | None], store: Callable[[bytes, bytes], None]) -> None:
        self._load_bytes = load
        self._store = store
        self._decoded: dict[bytes, Node] = {}

    def get(self, root: bytes, key: bytes) -> bytes:
        """The value under ``key``, empty without one."""
        path, at = _nibbles(key), 0
        reference: Reference = b"" if root == EMPTY_TRIE_ROOT else root
        while reference:
            node = self._load(reference)
            if len(node) == 17:
                if at == len(path):
                    return _as_value(node[16])
                reference = node[path[at]]
                at += 1
                continue
            own, is_leaf, below = node
            if is_leaf:
                return _as_value(below) if path[at:] == own else b""
            if not path.startswith(own, at):
                return b""
            at += len(own)
            reference = below
        return b""

    def proof(self, root: bytes, key: bytes) -> list[bytes]:
        """The encodings of the nodes on the way to ``key``, root first: they prove its value, or that it has none.

        Empty for an empty trie. A node that lies inside another has no encoding of its own here (EIP-1186).
        """
        path, at, nodes = _nibbles(key), 0, []
        reference: Reference = b"" if root == EMPTY_TRIE_ROOT else root
        while reference:
            if isinstance(reference, bytes):
                nodes.append(self._bytes_of(reference))
            node = self._load(reference)
            if len(node) == 17:
                if at == len(path):
                    break
                reference = node[path[at]]
                at += 1
                continue
            own, is_leaf, below = node
            if is_leaf or not path.startswith(own, at):
                break
            at += len(own)
            reference = below
        return nodes

    def update(self, root: bytes, changes: Mapping[bytes, bytes]) -> Hash32:
        """The root after setting every key to its value; an empty value deletes."""
        reference: Reference = b"" if root == EMPTY_TRIE_ROOT else root
        for key, value in changes.items():
            reference = (
                self._insert(reference, _nibbles(key), value) if value else self._delete(reference, _nibbles(key))
            )
        if not reference:
            return EMPTY_TRIE_ROOT
        if isinstance(reference, bytes):
            return Hash32(reference)
        return self._save(reference, self._encode(reference))

    def walk(self, root: bytes, present: Callable[[bytes], bytes | None]) -> Iterator[tuple[bytes, bytes]]:
        """Every node below ``root`` that ``present`` has, parents first, without entering those it lacks.

        Yields ``(hash, encoding)`` for each node, and ``(b"", value)`` for each value in them.
        """
        pending: list[Reference] = [] if root == EMPTY_TRIE_ROOT else [root]
        while pending:
            reference = pending.pop()
            if isinstance(reference, bytes):
                encoded = present(reference)
                if encoded is None:
                    continue
                yield reference, encoded
            node = self._load(reference)
            if len(node) == 17:
                pending.extend(child for child in node[:16] if child)
                if node[16]:
                    yield b"", node[16]
            elif node[1]:
                yield b"", node[2]
            else:
                pending.append(node[2])

    def _bytes_of(self, node_hash: bytes) -> bytes:
        encoded = self._load_bytes(node_hash)
        if encoded is None:
            raise MissingNode(f"trie node 0x{node_hash.hex()} is missing")
        return encoded

    def _load(self, reference: Reference) -> Node:
        if isinstance(reference, list):
            return reference
        node = self._decoded.get(reference)
        if node is None:
            node = _decode(self._bytes_of(reference))
            self._remember(reference, node)
        return node

    def _remember(self, node_hash: bytes, node: Node) -> None:
        if len(self._decoded) >= _DECODED_LIMIT:
            self._decoded.clear()
        self._decoded[node_hash] = node

    def _insert(self, reference: Reference, path: bytes, value: bytes) -> Node:
        if not reference:
            return [path, True, value]
        node = self._load(reference)
        if len(node) == 17:
            changed = node.copy()
            if path:
                changed[path[0]] = self._insert(node[path[0]], path[1:], value)
            else:
                changed[16] = value
            return changed
        own, is_leaf, below = node
        common = _common_prefix(own, path)
        if common == len(own):
            if not is_leaf:
                return [own, False, self._insert(below, path[common:], value)]
            if common == len(path):
                return [own, True, value]
        branch: Node = [b""] * 17
        _hang(branch, own[common:], is_leaf, below)
        _hang(branch, path[common:], True, value)
        return [path[:common], False, branch] if common else branch

    def _delete(self, reference: Reference, path: bytes) -> Reference:
        """The reference without ``path``; the same object when nothing was there."""
        if not reference:
            return reference
        node = self._load(reference)
        if len(node) == 17:
            at = path[0] if path else 16
            remaining = self._delete(node[at], path[1:]) if path else b""
            if remaining is node[at] or remaining == node[at] == b"":
                return reference
            changed = node.copy()
            changed[at] = remaining
            return self._shrink(changed)
        own, is_leaf, below = node
        if is_leaf:
            return b"" if own == path else reference
        if not path.startswith(own):
            return reference
        remaining = self._delete(below, path[len(own) :])
        return reference if remaining is below else self._prepend(own, remaining)

    def _shrink(self, branch: Node) -> Node:
        """A branch that may have one entry left, in its canonical form."""
        used = [at for at in range(17) if branch[at]]
        if len(used) > 1:
            return branch
        at = used[0]
        return [b"", True, branch[16]] if at == 16 else self._prepend(bytes((at,)), branch[at])

    def _prepend(self, path: bytes, reference: Reference) -> Node:
        node = self._load(reference)
        if len(node) == 17:
            return [path, False, reference]
        return [path + node[0], node[1], node[2]]

    def _encode(self, node: Node) -> bytes:
        if len(node) == 17:
            parts = [self._encode_child(node, at) if node[at] else b"\x80" for at in range(16)]
            parts.append(rlp.encode_bytes(node[16]))
        else:
            path, is_leaf, below = node
            tail = rlp.encode_bytes(below) if is_leaf else self._encode_child(node, 2)
            parts = [rlp.encode_bytes(_pack(path, is_leaf)), tail]
        return rlp.encode_list(parts)

    def _encode_child(self, node: Node, at: int) -> bytes:
        child: Reference = node[at]
        if isinstance(child, list):
            encoded = self._encode(child)
            if len(encoded) < 32:
                return encoded
            node[at] = child = self._save(child, encoded)
        return b"\xa0" + child

    def _save(self, node: Node, encoded: bytes) -> Hash32:
        node_hash = keccak256(encoded)
        self._store(node_hash, encoded)
        self._remember(node_hash, node)
        return node_hash


def root_of(values: Mapping[bytes, bytes]) -> Hash32:
    """The root of the trie that holds exactly ``values``."""
    return Trie(lambda _hash: None, lambda _hash, _encoded: None).update(EMPTY_TRIE_ROOT, values)


def root_of_list(items: Iterable[bytes]) -> Hash32:
    """The root over ``items`` keyed by the RLP of their index: transactions and receipts of a block."""
    return root_of({rlp.encode_bytes(rlp.uint(index)): item for index, item in enumerate(items)})


def _as_value(item: Any) -> bytes:
    """For the type checker: what stands where a value does is bytes."""
    value: bytes = item
    return value


def _nibbles(key: bytes) -> bytes:
    return key.hex().encode().translate(_HEX_TO_NIBBLES)


def _common_prefix(left: bytes, right: bytes) -> int:
    size = min(len(left), len(right))
    for at in range(size):
        if left[at] != right[at]:
            return at
    return size


def _hang(branch: Node, path: bytes, is_leaf: bool, below: Reference) -> None:
    """Put what lies at the end of ``path`` into an empty place of ``branch``."""
    if not path:
        branch[16] = below
    elif len(path) == 1 and not is_leaf:
        branch[path[0]] = below
    else:
        branch[path[0]] = [path[1:], is_leaf, below]


def _pack(path: bytes, is_leaf: bool) -> bytes:
    """The hex-prefix encoding (Yellow Paper, appendix C)."""
    flag = 2 if is_leaf else 0
    prefix = bytes((flag | 1,)) if len(path) & 1 else bytes((flag, 0))
    return bytes.fromhex((prefix + path).translate(_NIBBLES_TO_HEX).decode())


def _decode(encoded: bytes) -> Node:
    return _from_items(rlp.decode_list(encoded))


def _from_items(items: list[Any]) -> Node:
    if len(items) == 17:
        return [_from_items(item) if isinstance(item, list) else item for item in items]
    packed = _nibbles(items[0])
    path = packed[1:] if packed[0] & 1 else packed[2:]
    below = items[1]
    return [path, packed[0] >= 2, _from_items(below) if isinstance(below, list) else below]
