"""An account that is about to run another's code is held to the rule of those that do already (EIP-7702)."""

import pytest
from eth_account import Account

from mempool.config import MempoolConfig
from mempool.delegation import Delegations, authorities
from mempool.pool import Pool
from sequencer.core import transaction
from sequencer.core.errors import Reason, Rejected
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address
from tests.unit.mempool.makers import CHAIN_ID, GWEI, TARGET, account, address, private_key, sender_of, transfer

AUTHORITY = address(2)


def refusal(pool: Pool, sender: int, nonce: int, *authorities: Address) -> Reason | None:
    try:
        pool.add(transfer(sender, nonce), 0, 0, account(), authorities=authorities)
    except Rejected as error:
        return error.reason
    return None


def test_while_the_authorization_waits_its_account_may_have_one_transaction() -> None:
    pool = Pool(MempoolConfig())
    assert refusal(pool, 1, 0, AUTHORITY) is None
    assert refusal(pool, 2, 1) is Reason.DELEGATED_GAPPED
    assert refusal(pool, 2, 0) is None
    assert refusal(pool, 2, 1) is Reason.DELEGATED_LIMIT


def test_when_it_left_the_account_is_free_again() -> None:
    pool = Pool(MempoolConfig())
    carrier = pool.add(transfer(1, 0), 0, 0, account(), authorities=[AUTHORITY])
    assert refusal(pool, 2, 0) is None
    pool.drop(carrier, Reason.INSUFFICIENT_FUNDS)
    assert refusal(pool, 2, 1) is None


def test_an_account_that_holds_more_cannot_be_delegated() -> None:
    """Else filling the pool first and delegating afterwards would get around the limit."""
    pool = Pool(MempoolConfig())
    for nonce in range(3):
        assert refusal(pool, 2, nonce) is None
    assert refusal(pool, 1, 0, AUTHORITY) is Reason.DELEGATED_LIMIT
    assert refusal(pool, 1, 0) is None


def test_two_transactions_for_one_account() -> None:
    delegations = Delegations()
    one, two = keccak256(b"1"), keccak256(b"2")
    delegations.add(one, [AUTHORITY, AUTHORITY])
    delegations.add(two, [AUTHORITY])
    delegations.remove(one)
    assert delegations.pending(AUTHORITY)
    delegations.remove(two)
    delegations.remove(two)
    assert not delegations.pending(AUTHORITY)


def set_code(*authorizations: object) -> transaction.RecoveredTransaction:
    body = {
        "type": 4,
        "chainId": CHAIN_ID,
        "nonce": 0,
        "gas": 500_000,
        "to": TARGET,
        "value": 0,
        "data": b"",
        "maxFeePerGas": 2 * GWEI,
        "maxPriorityFeePerGas": GWEI,
        "authorizationList": list(authorizations),
    }
    raw = Account.sign_transaction(body, private_key(1)).raw_transaction
    return transaction.recover(transaction.decode(bytes(raw)))


def authorization(key: int, chain_id: int) -> object:
    return Account.sign_authorization({"chainId": chain_id, "address": TARGET, "nonce": 0}, private_key(key))


def test_authorities_are_recovered_as_execution_will() -> None:
    made = set_code(authorization(5, CHAIN_ID), authorization(6, 0), authorization(7, 1))
    assert authorities(made, CHAIN_ID) == [sender_of(5), sender_of(6)], "the third is for another chain"


@pytest.mark.parametrize("spoilt", ["r", "s"])
def test_an_authorization_that_nobody_signed_delegates_nobody(spoilt: str) -> None:
    signed = authorization(5, CHAIN_ID)
    assert hasattr(signed, "model_copy")
    assert authorities(set_code(signed.model_copy(update={spoilt: 0})), CHAIN_ID) == []
