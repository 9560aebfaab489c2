"""The state as one execution sees it: what it read from the trie, what it has changed, and how to undo it.

Everything that a revert must restore lives in dictionaries, and every write first notes the entry it
replaces. A snapshot is the length of that list of notes, and reverting takes notes back from its end. The
interpreter of py-evm calls the methods of this class by py-evm's names for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from sequencer.core import rlp
from sequencer.core.errors import Fatal
from sequencer.core.keccak import EMPTY_HASH, EMPTY_TRIE_ROOT, keccak256
from sequencer.core.receipt import Log
from sequencer.core.types import ZERO_HASH, Address, Hash32


class Account(NamedTuple):
    """An account as the state trie holds it (Yellow Paper, section 4.1)."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes

    @property
    def is_empty(self) -> bool:
        """Without nonce, balance and code (EIP-161)."""
        return not self.nonce and not self.balance and self.code_hash == EMPTY_HASH


NEW_ACCOUNT: Final = Account(0, 0, EMPTY_TRIE_ROOT, EMPTY_HASH)


def encode_account(account: Account) -> bytes:
    """The value under an account's key in the state trie."""
    return rlp.encode_list(
        [
            rlp.encode_bytes(rlp.uint(account.nonce)),
            rlp.encode_bytes(rlp.uint(account.balance)),
            b"\xa0" + account.storage_root,
            b"\xa0" + account.code_hash,
        ]
    )


def decode_account(encoded: bytes) -> Account | None:
    """The account in a value of the state trie; None for the empty value of an absent one."""
    if not encoded:
        return None
    nonce, balance, storage_root, code_hash = rlp.as_list(rlp.decode(encoded), 4)
    return Account(rlp.as_uint(nonce), rlp.as_uint(balance), rlp.as_bytes(storage_root), rlp.as_bytes(code_hash))


class StateSource(Protocol):
    """Where a world reads what it does not know yet: one state, which never changes."""

    def account(self, address: bytes) -> Account | None:
        """The account, or None."""
        ...

    def slot(self, storage_root: bytes, slot: int) -> int:
        """A value in the storage trie with this root."""
        ...

    def code(self, code_hash: bytes) -> bytes:
        """The code with this hash."""
        ...

    def block_hash(self, number: int) -> Hash32:
        """The hash of a block before this state."""
        ...


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """The block around an execution: fees in wei, gas in gas, time in unix seconds."""

    chain_id: int
    block_number: int
    timestamp: int
    coinbase: Address
    gas_limit: int
    base_fee_per_gas: int
    mix_hash: Hash32
    blob_base_fee: int
    difficulty: int = 0


@dataclass(slots=True)
class Changes:
    """What differs from the source since the last ``take_changes``; None is a deleted account."""

    accounts: dict[bytes, Account | None]
    slots: dict[bytes, dict[int, int]]
    codes: dict[bytes, bytes]


_ABSENT: Final[Any] = object()


class World:
    """A state being executed upon. One transaction at a time; not for use from two threads."""

    def __init__(self, source: StateSource, context: ExecutionContext, precompiles: frozenset[bytes]) -> None:
        self._source = source
        self.execution_context = context
        self.coinbase = context.coinbase
        self.timestamp = context.timestamp
        self.block_number = context.block_number
        self.difficulty = context.difficulty
        self.mix_hash = context.mix_hash
        self.gas_limit = context.gas_limit
        self.base_fee = context.base_fee_per_gas
        self.blob_base_fee = context.blob_base_fee
        self._precompiles = precompiles
        self.blocks_below = context.block_number
        """Blocks from this number on are not there, whatever an override says."""
        self.moved_precompiles: dict[bytes, bytes | None] = {}
        """Which precompile stands at an address instead of its own, if any."""

        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._accounts: dict[bytes, Account | None] = {}
        self._slots: dict[bytes, dict[int, int]] = {}
        self._codes: dict[bytes, bytes] = {EMPTY_HASH: b""}

        # Of one transaction only.
        self._originals: dict[tuple[bytes, int], int] = {}
        self._warm: dict[Any, bool] = {}
        self._transient: dict[tuple[bytes, int], bytes] = {}
        self._logs: dict[int, Log] = {}
        self.destroyed: dict[bytes, bool] = {}
        """Accounts that end with this transaction."""
        self.created: dict[bytes, bool] = {}
        """Contracts made by this transaction, which SELFDESTRUCT may really delete (EIP-6780)."""

        # Since the last take_changes; reverts may leave too much in them, never too little.
        self._changed_accounts: set[bytes] = set()
        self._changed_slots: dict[bytes, set[int]] = {}
        self._new_codes: dict[bytes, bytes] = {}

    # ------------------------------------------------------------------------------- undo

    def _set(self, mapping: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((mapping, key, mapping.get(key, _ABSENT)))
        mapping[key] = value

    def snapshot(self) -> int:
        """A name for this point, for ``revert``."""
        return len(self._undo)

    def revert(self, snapshot: int) -> None:
        """Undo everything since ``snapshot``."""
        undo = self._undo
        while len(undo) > snapshot:
            mapping, key, before = undo.pop()
            if before is _ABSENT:
                del mapping[key]
            else:
                mapping[key] = before

    def commit(self, snapshot: int) -> None:
        """Keep everything since ``snapshot``: there is nothing to do."""

    def finish_transaction(self) -> tuple[Log, ...]:
        """Delete what the transaction destroyed or left empty (EIP-161), and forget what was only its own.

        Returns its logs. Nothing before this point can be reverted afterwards.
        """
        touched = {key for mapping, key, _ in self._undo if mapping is self._accounts}
        for address in touched:
            account = self._accounts[address]
            if account is not None and account.is_empty:
                self._delete(address)
        for address in self.destroyed:
            self._delete(address)
        logs = tuple(self._logs.values())
        self._undo.clear()
        self._forget_transaction()
        return logs

    def abandon_transaction(self) -> None:
        """Undo a transaction that stopped halfway."""
        self.revert(0)
        self._forget_transaction()

    def take_changes(self) -> Changes:
        """What changed since the last call, for writing it to the trie. Only between transactions."""
        changes = Changes(
            {address: self._accounts[address] for address in self._changed_accounts},
            {
                address: {slot: self._slots[address][slot] for slot in slots}
                for address, slots in self._changed_slots.items()
                if self._accounts.get(address) is not None
            },
            self._new_codes,
        )
        self._changed_accounts, self._changed_slots, self._new_codes = set(), {}, {}
        return changes

    def adopt_storage_root(self, address: bytes, storage_root: bytes) -> Account:
        """The account, from now on with the root that its changed slots were written to."""
        account = self._account(address)
        self._accounts[address] = account = Account(account.nonce, account.balance, storage_root, account.code_hash)
        return account

    def _forget_transaction(self) -> None:
        self._originals.clear()
        self._warm.clear()
        self._transient.clear()
        self._logs.clear()
        self.destroyed.clear()
        self.created.clear()

    def _delete(self, address: bytes) -> None:
        self._accounts[address] = None
        self._slots.pop(address, None)
        self._changed_slots.pop(address, None)
        self._changed_accounts.add(address)

    # --------------------------------------------------------------------------- accounts

    def peek(self, address: bytes) -> Account | None:
        """The account, or None if there is none."""
        account = self._accounts.get(address, _ABSENT)
        if account is _ABSENT:
            account = self._accounts[address] = self._source.account(address)
        return account  # type: ignore[no-any-return]

    def _account(self, address: bytes) -> Account:
        return self.peek(address) or NEW_ACCOUNT

    def _put(self, address: bytes, account: Account) -> None:
        self._set(self._accounts, address, account)
        self._changed_accounts.add(address)

    def get_balance(self, address: bytes) -> int:
        return self._account(address).balance

    def set_balance(self, address: bytes, balance: int) -> None:
        account = self._account(address)
        self._put(address, Account(account.nonce, balance, account.storage_root, account.code_hash))

    def delta_balance(self, address: bytes, delta: int) -> None:
        self.set_balance(address, self._account(address).balance + delta)

    def get_nonce(self, address: bytes) -> int:
        return self._account(address).nonce

    def set_nonce(self, address: bytes, nonce: int) -> None:
        account = self._account(address)
        self._put(address, Account(nonce, account.balance, account.storage_root, account.code_hash))

    def increment_nonce(self, address: bytes) -> None:
        self.set_nonce(address, self._account(address).nonce + 1)

    def get_code(self, address: bytes) -> bytes:
        return self.code_with_hash(self._account(address).code_hash)

    def code_with_hash(self, code_hash: bytes) -> bytes:
        """The code of any account that has this hash."""
        code = self._codes.get(code_hash)
        if code is None:
            code = self._codes[code_hash] = self._source.code(code_hash)
        return code

    def get_code_hash(self, address: bytes) -> bytes:
        return self._account(address).code_hash

    def set_code(self, address: bytes, code: bytes) -> None:
        account = self._account(address)
        code_hash = keccak256(code)
        if code:
            self._codes[code_hash] = self._new_codes[code_hash] = code
        self._put(address, Account(account.nonce, account.balance, account.storage_root, code_hash))

    def account_exists(self, address: bytes) -> bool:
        return self.peek(address) is not None

    def account_is_empty(self, address: bytes) -> bool:
        return self._account(address).is_empty

    def touch_account(self, address: bytes) -> None:
        self._put(address, self._account(address))

    def has_code_or_nonce(self, address: bytes) -> bool:
        """Whether a contract may not be created here; storage alone forbids it too (EIP-7610)."""
        account = self._account(address)
        return bool(account.nonce) or account.code_hash != EMPTY_HASH or account.storage_root != EMPTY_TRIE_ROOT

    # ---------------------------------------------------------------------------- storage

    def get_storage(self, address: bytes, slot: int, from_journal: bool = True) -> int:
        """The value now, or with ``from_journal=False`` as it was before the transaction (EIP-2200)."""
        if not from_journal:
            original = self._originals.get((address, slot))
            if original is not None:
                return original
        slots = self._slots.get(address)
        if slots is None:
            slots = self._slots[address] = {}
        value = slots.get(slot)
        if value is None:
            root = self._account(address).storage_root
            value = slots[slot] = 0 if root == EMPTY_TRIE_ROOT else self._source.slot(root, slot)
        return value

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        before = self.get_storage(address, slot)
        self._originals.setdefault((address, slot), before)
        self._set(self._slots[address], slot, value)
        self._changed_slots.setdefault(address, set()).add(slot)

    def delete_storage(self, address: bytes) -> None:
        """Before a creation: nothing to do, for an account with storage cannot be created over (EIP-7610)."""

    def get_transient_storage(self, address: bytes, slot: int) -> bytes:
        return self._transient.get((address, slot), b"")

    def set_transient_storage(self, address: bytes, slot: int, value: bytes) -> None:
        self._set(self._transient, (address, slot), value)

    # ------------------------------------------------------- access lists, logs, destruction

    def is_address_warm(self, address: bytes) -> bool:
        return address in self._warm or address in self._precompiles

    def mark_address_warm(self, address: bytes) -> None:
        if address not in self._warm:
            self._set(self._warm, address, True)

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        if (address, slot) not in self._warm:
            self._set(self._warm, (address, slot), True)

    def add_log(self, log: Log) -> None:
        self._set(self._logs, len(self._logs), log)

    def mark_created(self, address: bytes) -> None:
        self._set(self.created, address, True)

    def mark_destroyed(self, address: bytes) -> None:
        self._set(self.destroyed, address, True)

    # -------------------------------------------------------------------------- ancestors

    def get_ancestor_hash(self, block_number: int) -> bytes:
        """The hash of one of the 256 blocks before this one, or zero (BLOCKHASH)."""
        if 0 < self.block_number - block_number <= 256 and block_number < self.blocks_below:
            return self._source.block_hash(block_number)
        return ZERO_HASH

    # -------------------------------------------------------------------------- overrides

    def forget_undo(self) -> None:
        """Make what was set so far part of the state that the transaction finds."""
        self._undo.clear()

    def replace_storage(self, address: bytes, slots: Mapping[int, int]) -> None:
        """As if these were all the slots the account has. Between transactions."""
        account = self._account(address)
        self._put(address, Account(account.nonce, account.balance, EMPTY_TRIE_ROOT, account.code_hash))
        self._slots[address] = {}
        self.override_slots(address, slots)

    def override_slots(self, address: bytes, slots: Mapping[int, int]) -> None:
        """As if these slots had these values. Between transactions."""
        self.peek(address)  # whether there is such an account decides whether its slots are written
        self._slots.setdefault(address, {}).update(slots)
        self._changed_slots.setdefault(address, set()).update(slots)


def word_of(value: int) -> bytes:
    """The value under a slot's key in a storage trie; empty deletes it."""
    return rlp.encode_bytes(rlp.uint(value)) if value else b""


def value_of(encoded: bytes) -> int:
    """The integer in a value of a storage trie."""
    if not encoded:
        return 0
    item = rlp.decode(encoded)
    if not isinstance(item, bytes):
        raise Fatal("state is damaged: a storage value is a list")
    return int.from_bytes(item, "big")
