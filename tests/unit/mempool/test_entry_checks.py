"""Every refusal that needs no account, with the words that wallets match on."""

from dataclasses import replace
from typing import Any

import pytest

from mempool.admission import PythonRecovery
from mempool.validation import check_account, check_funds, check_replacement, floor_data_gas, intrinsic_gas
from sequencer.core.calls import AccountView
from sequencer.core.errors import Reason, Rejected
from sequencer.core.keccak import keccak256
from sequencer.core.ports import EntryRules
from sequencer.core.transaction import AccessListEntry, Authorization
from sequencer.core.types import UINT64_MAX, UINT256_MAX
from tests.unit.mempool.makers import RULES, TARGET, account, sender_of, signed, transfer

CANCUN = replace(RULES, fork="cancun")
OSAKA = replace(RULES, fork="osaka")


def authorization() -> Authorization:
    return Authorization(777, TARGET, 0, 0, 1, 1)


def raw_set_code(authorizations: list[bytes]) -> bytes:
    """A type-4 transaction; its signature does not matter, because what is wrong shows before."""
    from sequencer.core import rlp

    numbers = [rlp.uint(n) for n in (777, 0, 1, 2 * 10**9, 100_000)]
    return b"\x04" + rlp.encode([*numbers, TARGET, b"", b"", [], authorizations, b"", b"\x01", b"\x01"])


REFUSALS: list[tuple[str, bytes, EntryRules, Reason, str]] = [
    (
        "size",
        signed(data=bytes(131_072), gas=4_000_000),
        RULES,
        Reason.OVERSIZED_DATA,
        "oversized data: transaction size 131189, limit 131072",
    ),
    ("nothing", b"", RULES, Reason.MALFORMED, "rlp: value is not a transaction: empty input"),
    ("unknown type", b"\x05" + signed()[1:], RULES, Reason.TYPE_NOT_SUPPORTED, "transaction type not supported"),
    ("blob", b"\x03" + signed()[1:], RULES, Reason.TYPE_NOT_SUPPORTED, "transaction type not supported"),
    ("set code too early", raw_set_code([]), CANCUN, Reason.TYPE_NOT_SUPPORTED, "transaction type not supported"),
    (
        "trailing byte",
        signed() + b"\x00",
        RULES,
        Reason.MALFORMED,
        "rlp: value is not a transaction: rlp: bytes after the end of the item",
    ),
    (
        "chain id",
        signed(chainId=5),
        RULES,
        Reason.WRONG_CHAIN,
        "invalid sender: invalid chain id for signer: have 5 want 777",
    ),
    (
        "legacy chain id",
        signed(chainId=6, gasPrice=10**9),
        RULES,
        Reason.WRONG_CHAIN,
        "invalid sender: invalid chain id for signer: have 6 want 777",
    ),
    (
        "unprotected",
        signed(chainId=None, gasPrice=10**9),
        RULES,
        Reason.UNPROTECTED,
        "only replay-protected (EIP-155) transactions allowed over RPC",
    ),
    (
        "init code",
        signed(to=None, data=bytes(49_153), gas=10**6),
        RULES,
        Reason.INIT_CODE_TOO_LARGE,
        "max initcode size exceeded: code size 49153, limit 49152",
    ),
    ("last nonce", signed(nonce=UINT64_MAX), RULES, Reason.NONCE_MAX, "nonce has max value"),
    (
        "tip above cap",
        signed(maxFeePerGas=9, maxPriorityFeePerGas=10),
        RULES,
        Reason.TIP_ABOVE_FEE_CAP,
        "max priority fee per gas higher than max fee per gas",
    ),
    (
        "cost beyond 256 bits",
        signed(maxFeePerGas=UINT256_MAX // 21_000 + 1),
        RULES,
        Reason.INSUFFICIENT_FUNDS,
        "insufficient funds for gas * price + value: required balance exceeds 256 bits",
    ),
    (
        "cheap",
        signed(maxFeePerGas=6, maxPriorityFeePerGas=6),
        RULES,
        Reason.UNDERPRICED,
        "transaction underpriced: gas fee cap 6, minimum needed 7",
    ),
    (
        "no tip",
        signed(maxPriorityFeePerGas=0),
        RULES,
        Reason.UNDERPRICED,
        "transaction underpriced: gas tip cap 0, minimum needed 1",
    ),
    (
        "gas",
        signed(gas=20_999),
        RULES,
        Reason.INTRINSIC_GAS,
        "intrinsic gas too low: gas 20999, minimum needed 21000",
    ),
    (
        "floor",
        signed(data=b"\x01" * 100, gas=24_999),
        RULES,
        Reason.FLOOR_DATA_GAS,
        "insufficient gas for floor data gas cost: gas 24999, minimum needed 25000",
    ),
    ("block gas", signed(gas=30_000_001), RULES, Reason.GAS_LIMIT, "exceeds block gas limit"),
    (
        "gas cap of a transaction",
        signed(gas=2**24 + 1),
        OSAKA,
        Reason.GAS_LIMIT,
        "exceeds block gas limit: transaction gas limit too high (cap: 16777216, tx: 16777217)",
    ),
    (
        "no authorizations",
        raw_set_code([]),
        RULES,
        Reason.EMPTY_AUTHORIZATIONS,
        "EIP-7702 transaction with empty auth list",
    ),
]


@pytest.mark.parametrize(
    ("raw", "rules", "reason", "text"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
def test_refusal(raw: bytes, rules: EntryRules, reason: Reason, text: str) -> None:
    (result,) = PythonRecovery().recover([raw], rules)
    assert isinstance(result, Rejected)
    assert (result.reason, str(result)) == (reason, text)


@pytest.mark.parametrize(
    ("raw", "rules"),
    [
        (signed(), RULES),
        (signed(gasPrice=10**9), RULES),
        (signed(gasPrice=10**9, accessList=[]), RULES),
        (signed(gas=30_000_000), RULES),
        (signed(gas=2**24), OSAKA),
        (signed(data=b"\x01" * 100, gas=25_000), RULES),
        (signed(data=b"\x01" * 100, gas=22_600), CANCUN),
        (signed(to=None, data=bytes(49_152), gas=10**6), RULES),
        (signed(nonce=UINT64_MAX - 1), RULES),
        (signed(maxFeePerGas=7, maxPriorityFeePerGas=1), RULES),
        (signed(data=bytes(131_072 - 117), gas=4_000_000), RULES),
    ],
)
def test_just_within_the_rules(raw: bytes, rules: EntryRules) -> None:
    (result,) = PythonRecovery().recover([raw], rules)
    assert not isinstance(result, Rejected), str(result)
    assert result.sender == sender_of(1)


def test_each_of_a_batch_is_answered_for_itself() -> None:
    broken = signed()[:-3]
    high_s = signed(nonce=1)[:-32] + (2**255).to_bytes(32, "big")
    good, *bad = PythonRecovery().recover([signed(), broken, high_s], RULES)
    assert not isinstance(good, Rejected)
    assert [result.reason for result in bad if isinstance(result, Rejected)] == [
        Reason.MALFORMED,
        Reason.INVALID_SENDER,
    ]


@pytest.mark.parametrize(
    ("fields", "gas"),
    [
        ({}, 21_000),
        ({"data": b"\x00\x01\x00"}, 21_000 + 4 + 16 + 4),
        ({"to": None, "data": b"\x01" * 33}, 53_000 + 33 * 16 + 2 * 2),
        ({"access_list": (AccessListEntry(TARGET, (keccak256(b""), keccak256(b"1"))),)}, 21_000 + 2_400 + 3_800),
        ({"authorizations": (authorization(), authorization())}, 21_000 + 50_000),
    ],
)
def test_intrinsic_gas(fields: dict[str, Any], gas: int) -> None:
    assert intrinsic_gas(replace(transfer(), **fields)) == gas


def test_floor_data_gas_counts_tokens() -> None:
    assert floor_data_gas(b"\x00" * 10 + b"\x01" * 5) == 21_000 + 10 * (10 + 4 * 5)


def cost(value: int) -> int:
    return 21_000 * 2 * 10**9 + value


ACCOUNT_REFUSALS = [
    (3, account(5), Reason.NONCE_TOO_LOW, "nonce too low: next nonce 5, tx nonce 3"),
    (
        0,
        account(0, 1),
        Reason.INSUFFICIENT_FUNDS,
        f"insufficient funds for gas * price + value: balance 1, tx cost {cost(0)}, overshot {cost(-1)}",
    ),
    (
        0,
        AccountView(0, 10**30, keccak256(b"code")),
        Reason.SENDER_NOT_EOA,
        f"sender not an eoa: codehash: 0x{keccak256(b'code').hex()}",
    ),
    # Nonce before balance before code.
    (0, AccountView(1, 0, keccak256(b"code")), Reason.NONCE_TOO_LOW, "nonce too low: next nonce 1, tx nonce 0"),
]


@pytest.mark.parametrize(("nonce", "view", "reason", "text"), ACCOUNT_REFUSALS)
def test_account_refusal(nonce: int, view: AccountView, reason: Reason, text: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_account(transfer(nonce=nonce), view)
    assert (refused.value.reason, str(refused.value)) == (reason, text)


@pytest.mark.parametrize("view", [account(), account(delegated=True), AccountView(0, 10**30, bytes(32))])
def test_accounts_that_may_send(view: AccountView) -> None:
    check_account(transfer(), view)


@pytest.mark.parametrize(
    ("committed", "replaced", "text"),
    [
        (11, None, f"balance {cost(10)}, queued cost 11, tx cost {cost(0)}, overshot 1"),
        (cost(5), cost(0) - 6, f"balance {cost(10)}, queued cost {cost(5)}, tx bumped 6, overshot 1"),
    ],
)
def test_all_executable_transactions_together_must_be_paid_for(committed: int, replaced: int | None, text: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_funds(transfer(), cost(10), committed, replaced)
    assert str(refused.value) == f"insufficient funds for gas * price + value: {text}"
    check_funds(transfer(), cost(11), committed, replaced)


@pytest.mark.parametrize(
    ("fee_cap", "tip", "enough"),
    [(110, 110, True), (109, 110, False), (110, 109, False), (100, 100, False), (1000, 100, False)],
)
def test_replacement_raises_both_fees_by_a_tenth(fee_cap: int, tip: int, enough: bool) -> None:
    old, new = transfer(fee_cap=100, tip=100), replace(transfer(fee_cap=fee_cap), max_priority_fee_per_gas=tip)
    if enough:
        check_replacement(new, old, 10)
        return
    with pytest.raises(Rejected) as refused:
        check_replacement(new, old, 10)
    assert str(refused.value) == "replacement transaction underpriced"
