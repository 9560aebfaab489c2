"""The accounts of a genesis in columns, so that a million of them take 52 MB and no object each.

::

    addresses   20 bytes an account, strictly ascending
    balances    32 bytes an account, big-endian wei, in the same order
    others      address -> account, of those alone that have a nonce, code or storage

Whoever asks for single accounts finds a mapping like any other; an engine takes the columns as they are.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, ItemsView, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, pairwise
from operator import lt
from typing import Any, Final, TypeAlias

from sequencer.core import encoding
from sequencer.core.errors import Malformed
from sequencer.core.types import UINT64_MAX, Address, Hash32

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many accounts are done, and of how many."""

PORTION: Final = 1 << 14
"""Accounts that are read or written together."""

_PLAIN: Final = '    "0x%s": {\n      "balance": "0x%s"\n    }'
_ADDRESSES: Final = re.compile(r"(?:(?:0x)?[0-9a-fA-F]{40}\n)*+")
_QUANTITIES: Final = re.compile(r"(?:0[xX](?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})\n)*+")


@dataclass(frozen=True, slots=True)
class GenesisAccount:
    """An account that exists before block 1; the balance is in wei, storage maps slots to values."""

    balance_wei: int = 0
    nonce: int = 0
    code: bytes = b""
    storage: Mapping[Hash32, Hash32] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GenesisAccounts(Mapping[Address, GenesisAccount]):
    """Accounts by address, in ascending order; the columns are those of the module's drawing."""

    addresses: bytes
    balances: bytes
    others: Mapping[Address, GenesisAccount]

    @classmethod
    def of(cls, accounts: Mapping[Address, GenesisAccount]) -> "GenesisAccounts":
        """The same accounts in columns."""
        if isinstance(accounts, cls):
            return accounts
        ascending = sorted(accounts)
        return cls(
            b"".join(ascending),
            b"".join(accounts[address].balance_wei.to_bytes(32, "big") for address in ascending),
            {address: account for address, account in accounts.items() if _is_more_than_a_balance(account)},
        )

    def __len__(self) -> int:
        return len(self.addresses) // 20

    def __iter__(self) -> Iterator[Address]:
        return map(self._address, range(len(self)))

    def __getitem__(self, address: Address) -> GenesisAccount:
        place = bisect_left(range(len(self)), address, key=self._address)
        if place == len(self) or self._address(place) != address:
            raise KeyError(address)
        return self.account_at(place)

    def items(self) -> ItemsView[Address, GenesisAccount]:
        return _Items(self)

    def _address(self, place: int) -> Address:
        return Address(self.addresses[20 * place : 20 * place + 20])

    def account_at(self, place: int) -> GenesisAccount:
        """The account in this row of the columns."""
        other = self.others.get(self._address(place)) if self.others else None
        return other or GenesisAccount(int.from_bytes(self.balances[32 * place : 32 * place + 32], "big"))


class _Items(ItemsView[Address, GenesisAccount]):
    """Goes along the columns, without a search for each account."""

    _mapping: GenesisAccounts

    def __iter__(self) -> Iterator[tuple[Address, GenesisAccount]]:
        for place, address in enumerate(self._mapping):
            yield address, self._mapping.account_at(place)


def accounts_from_json(alloc: Mapping[str, Any], on_progress: OnProgress) -> GenesisAccounts:
    """The accounts of a genesis file's ``alloc``; of two that name one address, the last.

    Raises ``Malformed``, ``KeyError``, ``TypeError`` or ``AttributeError`` for the first that is wrong.
    """
    try:
        return _columns_from_json(alloc, on_progress)
    except (Malformed, KeyError, TypeError, AttributeError):
        # One by one they tell which it is and what is wrong with it.
        return GenesisAccounts.of(
            {_address_from_json(name): _account_from_json(document) for name, document in alloc.items()}
        )


def _columns_from_json(alloc: Mapping[str, Any], on_progress: OnProgress) -> GenesisAccounts:
    """The accounts, read many at a time. Raises what ``accounts_from_json`` does, for anything that is unusual."""
    addresses, balances = bytearray(), bytearray()
    others: dict[Address, GenesisAccount] = {}
    entries = iter(alloc.items())
    while portion := list(islice(entries, PORTION)):
        addresses += bytes.fromhex(_lines(_ADDRESSES, [name for name, _ in portion]).replace("0x", ""))
        quantities = []
        for name, document in portion:
            quantities.append(document["balance"])
            if len(document) > 1 and _is_more_than_a_balance(account := _account_from_json(document)):
                others[_address_from_json(name)] = account
        _lines(_QUANTITIES, quantities)
        balances += bytes.fromhex("".join([quantity[2:].zfill(64) for quantity in quantities]))
        on_progress(len(addresses) // 20, len(alloc))
    return _ascending(bytes(addresses), bytes(balances), others)


def _lines(pattern: re.Pattern[str], texts: list[str]) -> str:
    """``texts``, each on a line of its own. Raises ``Malformed`` unless ``pattern`` is that of all lines."""
    lines = "\n".join(texts) + "\n"
    if lines.count("\n") != len(texts) or not pattern.fullmatch(lines):
        raise Malformed("unusual hex")
    return lines


def _ascending(addresses: bytes, balances: bytes, others: Mapping[Address, GenesisAccount]) -> GenesisAccounts:
    """The columns in the order of the addresses. Raises ``Malformed`` if one stands twice."""
    each = [addresses[start : start + 20] for start in range(0, len(addresses), 20)]
    if all(map(lt, each, islice(each, 1, None))):
        return GenesisAccounts(addresses, balances, others)
    order = sorted(range(len(each)), key=each.__getitem__)
    if any(each[one] == each[next_] for one, next_ in pairwise(order)):
        raise Malformed("an address stands twice")
    in_order = b"".join(map(each.__getitem__, order))
    return GenesisAccounts(in_order, b"".join(balances[32 * at : 32 * at + 32] for at in order), others)


def accounts_text(accounts: Mapping[Address, GenesisAccount]) -> Iterator[str]:
    """The entries of a genesis file's ``alloc`` by portions, as ``json.dumps`` writes them with an indent of 2."""
    columns = GenesisAccounts.of(accounts)
    others = {address.hex(): _entry_text(address, account) for address, account in columns.others.items()}
    for start in range(0, len(columns), PORTION):
        stop = start + PORTION
        names = columns.addresses[20 * start : 20 * stop].hex("\n", 20).split("\n")
        words = columns.balances[32 * start : 32 * stop].hex("\n", 32).split("\n")
        entries = [
            others.get(name) or _PLAIN % (name, word.lstrip("0") or "0")
            for name, word in zip(names, words, strict=True)
        ]
        yield (",\n" if start else "\n") + ",\n".join(entries)


def _entry_text(address: Address, account: GenesisAccount) -> str:
    text = json.dumps({encoding.data(address): _account_json(account)}, indent=2)
    return "  " + text[2:-2].replace("\n", "\n  ")


def _is_more_than_a_balance(account: GenesisAccount) -> bool:
    return bool(account.nonce or account.code or account.storage)


def _address_from_json(name: str) -> Address:
    return Address(encoding.parse_data("0x" + name.removeprefix("0x"), 20))


def _account_json(account: GenesisAccount) -> dict[str, Any]:
    document: dict[str, Any] = {"balance": hex(account.balance_wei)}
    if account.nonce:
        document["nonce"] = hex(account.nonce)
    if account.code:
        document["code"] = encoding.data(account.code)
    if account.storage:
        document["storage"] = {encoding.data(k): encoding.data(v) for k, v in sorted(account.storage.items())}
    return document


def _account_from_json(document: Mapping[str, Any]) -> GenesisAccount:
    return GenesisAccount(
        balance_wei=encoding.parse_quantity(document["balance"]),
        nonce=encoding.parse_quantity(document.get("nonce", "0x0"), UINT64_MAX),
        code=encoding.parse_data(document.get("code", "0x")),
        storage={
            encoding.parse_hash(slot): encoding.parse_hash(value) for slot, value in document.get("storage", {}).items()
        },
    )
