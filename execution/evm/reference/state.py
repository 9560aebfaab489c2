"""The state as tries over a store of nodes: where worlds read, and where their changes go."""

from collections.abc import Callable

from execution.evm.reference.trie import MissingNode, Trie
from execution.evm.reference.world import Account, World, decode_account, encode_account, value_of, word_of
from sequencer.core.keccak import keccak256
from sequencer.core.types import Hash32

_HASHED_KEYS_LIMIT = 100_000


class StateTries:
    """The account trie, the storage tries below it, and the code, all under their hashes in one store.

    Every method is a function of the root it is given, and safe from any thread.
    """

    def __init__(self, load: Callable[[bytes], bytes | None], store: Callable[[bytes, bytes], None]) -> None:
        self._load = load
        self._store = store
        self._trie = Trie(load, store)
        self._keys: dict[bytes, bytes] = {}

    def account(self, root: bytes, address: bytes) -> Account | None:
        """The account in the state with this root."""
        return decode_account(self._trie.get(root, self._key(address)))

    def slot(self, storage_root: bytes, slot: int) -> int:
        """The value in the storage trie with this root."""
        return value_of(self._trie.get(storage_root, self._key(slot.to_bytes(32, "big"))))

    def account_proof(self, root: bytes, address: bytes) -> list[bytes]:
        """The nodes that prove the account, or its absence, in the state with this root."""
        return self._trie.proof(root, self._key(address))

    def slot_proof(self, storage_root: bytes, slot: int) -> list[bytes]:
        """The nodes that prove the value in the storage trie with this root."""
        return self._trie.proof(storage_root, self._key(slot.to_bytes(32, "big")))

    def code(self, code_hash: bytes) -> bytes:
        """The code with this hash."""
        code = self._load(code_hash)
        if code is None:
            raise MissingNode(f"code 0x{code_hash.hex()} is missing")
        return code

    def node(self, key: bytes) -> bytes | None:
        """A node or code by its hash."""
        return self._load(key)

    def write(self, root: bytes, world: World) -> Hash32:
        """Put what changed in ``world`` on top of the state ``root``; the new root."""
        changes = world.take_changes()
        for code_hash, code in changes.codes.items():
            self._store(code_hash, code)
        for address, slots in changes.slots.items():
            account = changes.accounts.get(address) or world.peek(address)
            if account is None:
                continue
            values = {self._key(slot.to_bytes(32, "big")): word_of(value) for slot, value in slots.items()}
            changes.accounts[address] = world.adopt_storage_root(
                address, self._trie.update(account.storage_root, values)
            )
        return self._trie.update(
            root,
            {
                self._key(address): encode_account(account) if account is not None else b""
                for address, account in changes.accounts.items()
            },
        )

    def reachable(self, root: bytes, present: Callable[[bytes], bytes | None]) -> dict[bytes, bytes]:
        """Everything below ``root`` that ``present`` has: nodes of all tries, and code."""
        found: dict[bytes, bytes] = {}
        for key, value in self._trie.walk(root, present):
            if key:
                found[key] = value
                continue
            account = decode_account(value)
            if account is None:
                continue
            code = present(account.code_hash)
            if code is not None:
                found[account.code_hash] = code
            found.update(pair for pair in self._trie.walk(account.storage_root, present) if pair[0])
        return found

    def _key(self, plain: bytes) -> bytes:
        key = self._keys.get(plain)
        if key is None:
            if len(self._keys) >= _HASHED_KEYS_LIMIT:
                self._keys.clear()
            key = self._keys[plain] = keccak256(plain)
        return key


class StateView:
    """One state of ``tries``, as worlds read it."""

    def __init__(self, tries: StateTries, root: bytes, block_hash: Callable[[int], Hash32]) -> None:
        self._tries = tries
        self._root = root
        self._block_hash = block_hash

    def account(self, address: bytes) -> Account | None:
        return self._tries.account(self._root, address)

    def slot(self, storage_root: bytes, slot: int) -> int:
        return self._tries.slot(storage_root, slot)

    def code(self, code_hash: bytes) -> bytes:
        return self._tries.code(code_hash)

    def block_hash(self, number: int) -> Hash32:
        return self._block_hash(number)
