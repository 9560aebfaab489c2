"""Transactions and accounts for tests of the pool."""

from typing import Any

from eth_account import Account

from sequencer.core.calls import AccountView
from sequencer.core.keccak import EMPTY_HASH, keccak256
from sequencer.core.ports import EntryRules
from sequencer.core.transaction import RecoveredTransaction
from sequencer.core.types import Address

CHAIN_ID = 777
GWEI = 10**9
RICH = 10**30
RULES = EntryRules(CHAIN_ID, "prague", 30_000_000, minimum_fee_per_gas=7, minimum_tip_per_gas=1)
TARGET = Address(b"\x42" * 20)


def address(number: int) -> Address:
    """The address of an imagined sender."""
    return Address(number.to_bytes(20, "big"))


def account(nonce: int = 0, balance_wei: int = RICH, *, delegated: bool = False) -> AccountView:
    """An account without code, or with a delegation."""
    code_hash = keccak256(b"\xef\x01\x00" + TARGET) if delegated else EMPTY_HASH
    return AccountView(nonce, balance_wei, code_hash, delegated)


def transfer(
    sender: int = 1,
    nonce: int = 0,
    *,
    fee_cap: int = 2 * GWEI,
    tip: int | None = None,
    value: int = 0,
    gas_limit: int = 21_000,
    size: int = 110,
) -> RecoveredTransaction:
    """A transaction whose bytes are only a stand-in: the pool looks at its fields."""
    tip = fee_cap if tip is None else tip
    raw = repr((sender, nonce, fee_cap, tip, value, gas_limit)).encode().ljust(size, b".")
    return RecoveredTransaction(
        raw=raw,
        hash=keccak256(raw),
        signing_hash=keccak256(b"signed" + raw),
        type=2,
        chain_id=CHAIN_ID,
        nonce=nonce,
        max_priority_fee_per_gas=tip,
        max_fee_per_gas=fee_cap,
        gas_limit=gas_limit,
        to=TARGET,
        value=value,
        data=b"",
        y_parity=0,
        r=1,
        s=1,
        sender=address(sender),
    )


def private_key(number: int) -> bytes:
    """The key of a real sender."""
    return keccak256(b"key %d" % number)


def sender_of(number: int) -> Address:
    """The address of ``private_key(number)``."""
    return Address(bytes.fromhex(Account.from_key(private_key(number)).address[2:]))


def signed(key: int = 1, nonce: int = 0, **fields: Any) -> bytes:
    """A really signed transaction, by default a type-2 transfer, as a wallet makes it."""
    body: dict[str, Any] = {
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "gas": 21_000,
        "to": TARGET,
        "value": 0,
        "data": b"",
    }
    if "gasPrice" not in fields:
        body |= {"maxFeePerGas": 2 * GWEI, "maxPriorityFeePerGas": GWEI}
    body |= fields
    if body.get("chainId") is None:
        del body["chainId"]
    if body["to"] is None:
        body["to"] = b""
    return bytes(Account.sign_transaction(body, private_key(key)).raw_transaction)
