"""web3.py where order and time matter: reading at once, replacing, cancelling, delegating, waiting for the promise."""

from typing import Any

import pytest
from eth_account import Account
from web3 import Web3
from web3.exceptions import TransactionNotFound, Web3RPCError
from web3.middleware import SignAndSendRawMiddlewareBuilder

from tests.devnet import Devnet

ETHER, GWEI = 10**18, 10**9
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"


@pytest.fixture(scope="module")
def web3(devnet: Devnet) -> Web3:
    client = Web3(Web3.HTTPProvider(devnet.url))
    account = Account.from_key(devnet.info["accounts"][2]["privateKey"])
    client.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(account), layer=0)
    client.eth.default_account = account.address
    return client


@pytest.fixture
def payer(web3: Web3, devnet: Devnet) -> Any:
    """A new account with an ether, and a way to sign for it."""
    account = Account.create()
    web3.eth.wait_for_transaction_receipt(web3.eth.send_transaction({"to": account.address, "value": ETHER}))

    def sign(nonce: int, tip_gwei: int, **fields: Any) -> bytes:
        fees = {"maxFeePerGas": 10 * tip_gwei * GWEI, "maxPriorityFeePerGas": tip_gwei * GWEI}
        base = {"chainId": devnet.info["chainId"], "gas": 21_000, "value": 0, "to": account.address, "nonce": nonce}
        return bytes(account.sign_transaction(base | fees | fields).raw_transaction)

    account.sign = sign
    return account


def test_a_contract_is_used_the_moment_it_has_a_receipt(web3: Web3, contracts: dict[str, Any]) -> None:
    factory = web3.eth.contract(**contracts["Token"])
    receipt = web3.eth.wait_for_transaction_receipt(factory.constructor(7).transact())
    token = web3.eth.contract(address=receipt["contractAddress"], abi=contracts["Token"]["abi"])
    assert token.functions.totalSupply().call() == 7
    to = Account.create().address
    web3.eth.wait_for_transaction_receipt(token.functions.transfer(to, 3).transact())
    assert token.functions.balanceOf(to).call() == 3


def test_a_waiting_transaction_is_replaced_and_cancelled(web3: Web3, payer: Any) -> None:
    to = Account.create().address
    first = web3.eth.send_raw_transaction(payer.sign(1, 1, to=to, value=1))  # waits for nonce 0
    assert web3.eth.get_transaction(first)["blockNumber"] is None
    with pytest.raises(Web3RPCError, match="replacement transaction underpriced"):
        web3.eth.send_raw_transaction(payer.sign(1, 1, to=to, value=2))
    second = web3.eth.send_raw_transaction(payer.sign(1, 2, to=to, value=3))
    cancelled = web3.eth.send_raw_transaction(payer.sign(1, 3))
    for gone in (first, second):
        with pytest.raises(TransactionNotFound):
            web3.eth.get_transaction(gone)
    web3.eth.send_raw_transaction(payer.sign(0, 1, to=to, value=5))
    assert web3.eth.wait_for_transaction_receipt(cancelled)["status"] == 1
    assert web3.eth.get_balance(to) == 5


def test_an_account_delegates_and_takes_it_back(web3: Web3, payer: Any, devnet: Devnet) -> None:
    for nonce, target in ((0, MULTICALL3), (2, "0x" + "00" * 20)):
        fields = {"chainId": devnet.info["chainId"], "address": target, "nonce": nonce + 1}
        authorization = payer.sign_authorization(fields)
        raw = payer.sign(nonce, 1, to=Account.create().address, gas=100_000, authorizationList=[authorization])
        assert web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(raw))["status"] == 1
        code = web3.eth.get_code(payer.address).hex()
        assert code == ("ef0100" + MULTICALL3[2:].lower() if nonce == 0 else "")


def test_waiting_for_the_promise_in_one_call(web3: Web3, payer: Any) -> None:
    def send(nonce: int) -> Any:
        raw = "0x" + payer.sign(nonce, 1, value=1).hex()
        return web3.provider.make_request("eth_sendRawTransactionSync", [raw, 2_000])  # type: ignore[arg-type]

    receipt = send(0)["result"]
    assert receipt["status"] == "0x1"
    assert receipt["preconfirmation"]["txHash"] == receipt["transactionHash"]
    gap = send(5)["error"]
    assert (gap["code"], gap["data"]) == (6, "0x1")


def test_a_filled_transaction_is_ready_for_signing(web3: Web3, payer: Any) -> None:
    to = Account.create().address
    request = {"from": payer.address, "to": to, "value": "0x9"}
    filled = web3.provider.make_request("eth_fillTransaction", [request])["result"]["tx"]  # type: ignore[arg-type]
    numbers = {
        name: int(filled[name], 16) for name in ("nonce", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "value")
    }
    signed = payer.sign_transaction(numbers | {"to": to, "chainId": int(filled["chainId"], 16), "type": 2})
    web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(signed.raw_transaction))
    assert web3.eth.get_balance(to) == 9


def test_blobs_are_refused_in_words_that_tell_why(web3: Web3, payer: Any) -> None:
    fields = {"maxFeePerBlobGas": GWEI, "blobVersionedHashes": ["0x01" + "00" * 31], "type": 3}
    with pytest.raises(Web3RPCError, match="transaction type not supported"):
        web3.eth.send_raw_transaction(payer.sign(0, 1, **fields))
