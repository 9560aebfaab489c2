"""Whether a transaction may enter the pool: every check, in the order in which it costs least to fail.

``check_envelope`` looks at bytes, ``check_entry`` at the decoded fields, both before anyone pays for
recovering the sender; ``check_account`` and ``check_funds`` need the sender's account. All are pure and
either return or raise ``Rejected`` with the words that geth uses.
"""

from typing import Final

from sequencer.core import encoding
from sequencer.core.calls import AccountView
from sequencer.core.errors import Reason, Rejected
from sequencer.core.keccak import EMPTY_HASH
from sequencer.core.ports import EntryRules
from sequencer.core.transaction import DecodedTransaction, Transaction
from sequencer.core.types import UINT64_MAX, UINT256_MAX, ZERO_HASH

TRANSACTION_GAS: Final = 21_000
"""Every transaction (Yellow Paper, appendix G)."""
CREATION_GAS: Final = 32_000
"""A transaction that creates a contract, on top (EIP-2)."""
ZERO_BYTE_GAS: Final = 4
NONZERO_BYTE_GAS: Final = 16
"""Each byte of call data (EIP-2028)."""
ACCESS_LIST_ADDRESS_GAS: Final = 2_400
ACCESS_LIST_STORAGE_KEY_GAS: Final = 1_900
"""EIP-2930."""
INIT_CODE_WORD_GAS: Final = 2
INIT_CODE_LIMIT_BYTES: Final = 49_152
"""EIP-3860."""
AUTHORIZATION_GAS: Final = 25_000
"""Each EIP-7702 authorization, as if its account did not exist yet."""
FLOOR_TOKEN_GAS: Final = 10
TOKENS_PER_NONZERO_BYTE: Final = 4
"""EIP-7623."""
TRANSACTION_GAS_LIMIT_CAP: Final = 2**24
"""EIP-7825."""

_BLOB_TYPE: Final = 3
_SET_CODE_TYPE: Final = 4


def check_envelope(raw: bytes, rules: EntryRules) -> None:
    """Size and type, before decoding. Blob transactions are refused whatever form they come in."""
    if len(raw) > rules.size_limit_bytes:
        raise Rejected(Reason.OVERSIZED_DATA, f"transaction size {len(raw)}, limit {rules.size_limit_bytes}")
    if raw and (raw[0] == _BLOB_TYPE or (raw[0] == _SET_CODE_TYPE and not _has_prague(rules))):
        raise Rejected(Reason.TYPE_NOT_SUPPORTED)


def check_entry(decoded: DecodedTransaction, rules: EntryRules) -> None:
    """Everything that can be refused without the sender."""
    check_envelope(decoded.raw, rules)
    check_network(decoded, rules)
    check_limits(decoded, rules)


def check_network(decoded: DecodedTransaction, rules: EntryRules) -> None:
    """The transaction is meant for this chain and says so (EIP-155)."""
    if decoded.chain_id is None:
        raise Rejected(Reason.UNPROTECTED)
    if decoded.chain_id != rules.chain_id:
        raise Rejected(Reason.WRONG_CHAIN, f"have {decoded.chain_id} want {rules.chain_id}")


def check_limits(decoded: DecodedTransaction, rules: EntryRules) -> None:
    """Sizes, fees and gas, in themselves and against the chain's rules."""
    if decoded.to is None and len(decoded.data) > INIT_CODE_LIMIT_BYTES:
        raise Rejected(Reason.INIT_CODE_TOO_LARGE, f"code size {len(decoded.data)}, limit {INIT_CODE_LIMIT_BYTES}")
    if decoded.nonce == UINT64_MAX:
        raise Rejected(Reason.NONCE_MAX)
    _check_fees(decoded, rules)
    _check_gas(decoded, rules)
    if decoded.type == _SET_CODE_TYPE and not decoded.authorizations:
        raise Rejected(Reason.EMPTY_AUTHORIZATIONS)


def check_account(transaction: Transaction, account: AccountView) -> None:
    """The nonce is not used up, the balance can pay, and the sender is not a contract (EIP-3607)."""
    check_nonce(transaction, account.nonce)
    check_funds(transaction, account.balance_wei)
    check_code(account)


def check_nonce(transaction: Transaction, next_nonce: int) -> None:
    """``next_nonce`` is the first that the sender has not used."""
    if transaction.nonce < next_nonce:
        raise Rejected(Reason.NONCE_TOO_LOW, f"next nonce {next_nonce}, tx nonce {transaction.nonce}")


def check_funds(
    transaction: Transaction, balance_wei: int, committed_wei: int = 0, replaced_wei: int | None = None
) -> None:
    """The balance covers the transaction, and all of the sender's executable transactions together.

    ``committed_wei`` is what those in the pool cost, ``replaced_wei`` the cost of the one that this one
    replaces, if it is among them.
    """
    cost = cost_wei(transaction)
    if balance_wei < cost:
        raise Rejected(
            Reason.INSUFFICIENT_FUNDS, f"balance {balance_wei}, tx cost {cost}, overshot {cost - balance_wei}"
        )
    added = cost if replaced_wei is None else cost - replaced_wei
    overshot = committed_wei + added - balance_wei
    if overshot > 0:
        what = "cost" if replaced_wei is None else "bumped"
        raise Rejected(
            Reason.INSUFFICIENT_FUNDS,
            f"balance {balance_wei}, queued cost {committed_wei}, tx {what} {added}, overshot {overshot}",
        )


def check_code(account: AccountView) -> None:
    """Only an account without code of its own signs transactions; a delegation is not such code (EIP-7702)."""
    if account.code_hash not in (EMPTY_HASH, ZERO_HASH) and not account.delegated:
        raise Rejected(Reason.SENDER_NOT_EOA, f"codehash: {encoding.data(account.code_hash)}")


def check_replacement(transaction: Transaction, replaced: Transaction, bump_percent: int) -> None:
    """Both fees exceed the replaced ones, by at least ``bump_percent`` (rounded down, as geth does)."""
    for new, old in (
        (transaction.max_fee_per_gas, replaced.max_fee_per_gas),
        (transaction.max_priority_fee_per_gas, replaced.max_priority_fee_per_gas),
    ):
        if new <= old or new < old * (100 + bump_percent) // 100:
            raise Rejected(Reason.REPLACEMENT_UNDERPRICED)


def cost_wei(transaction: Transaction | DecodedTransaction) -> int:
    """The most that the transaction can take from its sender."""
    return transaction.gas_limit * transaction.max_fee_per_gas + transaction.value


def intrinsic_gas(decoded: Transaction | DecodedTransaction) -> int:
    """Gas that is spent before the first instruction (EIP-2028, 2930, 3860, 7702)."""
    zeros = decoded.data.count(0)
    gas = TRANSACTION_GAS + zeros * ZERO_BYTE_GAS + (len(decoded.data) - zeros) * NONZERO_BYTE_GAS
    if decoded.to is None:
        gas += CREATION_GAS + (len(decoded.data) + 31) // 32 * INIT_CODE_WORD_GAS
    for entry in decoded.access_list:
        gas += ACCESS_LIST_ADDRESS_GAS + len(entry.storage_keys) * ACCESS_LIST_STORAGE_KEY_GAS
    return gas + len(decoded.authorizations) * AUTHORIZATION_GAS


def floor_data_gas(data: bytes) -> int:
    """The least that a transaction with this call data pays for (EIP-7623)."""
    zeros = data.count(0)
    tokens = zeros + (len(data) - zeros) * TOKENS_PER_NONZERO_BYTE
    return TRANSACTION_GAS + tokens * FLOOR_TOKEN_GAS


def _check_fees(decoded: DecodedTransaction, rules: EntryRules) -> None:
    tip, fee_cap = decoded.max_priority_fee_per_gas, decoded.max_fee_per_gas
    if tip > fee_cap:
        raise Rejected(Reason.TIP_ABOVE_FEE_CAP)
    if decoded.gas_limit * fee_cap > UINT256_MAX:
        raise Rejected(Reason.INSUFFICIENT_FUNDS, "required balance exceeds 256 bits")
    if fee_cap < rules.minimum_fee_per_gas:
        raise Rejected(Reason.UNDERPRICED, f"gas fee cap {fee_cap}, minimum needed {rules.minimum_fee_per_gas}")
    if tip < rules.minimum_tip_per_gas:
        raise Rejected(Reason.UNDERPRICED, f"gas tip cap {tip}, minimum needed {rules.minimum_tip_per_gas}")


def _check_gas(decoded: DecodedTransaction, rules: EntryRules) -> None:
    gas_limit = decoded.gas_limit
    needed = intrinsic_gas(decoded)
    if gas_limit < needed:
        raise Rejected(Reason.INTRINSIC_GAS, f"gas {gas_limit}, minimum needed {needed}")
    if _has_prague(rules):
        needed = floor_data_gas(decoded.data)
        if gas_limit < needed:
            raise Rejected(Reason.FLOOR_DATA_GAS, f"gas {gas_limit}, minimum needed {needed}")
    if gas_limit > rules.gas_limit:
        raise Rejected(Reason.GAS_LIMIT)
    if rules.fork == "osaka" and gas_limit > TRANSACTION_GAS_LIMIT_CAP:
        raise Rejected(
            Reason.GAS_LIMIT, f"transaction gas limit too high (cap: {TRANSACTION_GAS_LIMIT_CAP}, tx: {gas_limit})"
        )


def _has_prague(rules: EntryRules) -> bool:
    return rules.fork != "cancun"
