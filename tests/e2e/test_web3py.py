"""web3.py, as its users use it: send, deploy, call, estimate, logs, filters, reverts, subscriptions."""

from typing import Any

import pytest
from eth_account import Account
from web3 import AsyncWeb3, Web3, WebSocketProvider
from web3.exceptions import ContractCustomError, ContractLogicError, Web3RPCError
from web3.middleware import SignAndSendRawMiddlewareBuilder

from tests.devnet import Devnet

ETHER = 10**18


@pytest.fixture(scope="module")
def web3(devnet: Devnet) -> Web3:
    client = Web3(Web3.HTTPProvider(devnet.url))
    account = Account.from_key(devnet.info["accounts"][5]["privateKey"])
    client.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(account), layer=0)
    client.eth.default_account = account.address
    return client


def sealed(web3: Web3, transaction_hash: Any) -> Any:
    """The receipt once ``latest`` reads see it."""
    while True:
        receipt = web3.eth.wait_for_transaction_receipt(transaction_hash)
        if any(receipt["blockHash"]):
            return receipt


@pytest.fixture(scope="module")
def token(web3: Web3, contracts: dict[str, Any]) -> Any:
    factory = web3.eth.contract(**contracts["Token"])
    receipt = sealed(web3, factory.constructor(1000 * ETHER).transact())
    assert receipt["status"] == 1
    return web3.eth.contract(address=receipt["contractAddress"], abi=contracts["Token"]["abi"])


def test_it_is_a_funded_chain(web3: Web3, devnet: Devnet) -> None:
    assert web3.is_connected()
    assert web3.eth.chain_id == devnet.info["chainId"] not in (1337, 31337)
    untouched = devnet.info["accounts"][9]["address"]
    assert web3.eth.get_balance(untouched) == 10_000 * ETHER
    assert web3.eth.get_transaction_count(untouched) == 0


@pytest.mark.parametrize(
    "fees",
    [
        {},
        {"gasPrice": 3 * 10**9},
        {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9, "type": 2},
        {"gasPrice": 3 * 10**9, "accessList": [{"address": "0x" + "11" * 20, "storageKeys": ["0x" + "22" * 32]}]},
    ],
    ids=["defaults", "legacy", "dynamic fee", "access list"],
)
def test_ether_moves_with_every_kind_of_fee(web3: Web3, fees: dict[str, Any]) -> None:
    to = Account.create().address
    transaction_hash = web3.eth.send_transaction({"to": to, "value": ETHER, "gas": 40_000, **fees})
    assert web3.eth.wait_for_transaction_receipt(transaction_hash)["status"] == 1
    assert web3.eth.get_balance(to, "pending") == ETHER
    sealed(web3, transaction_hash)
    assert web3.eth.get_balance(to) == ETHER


def test_a_token_is_deployed_used_and_its_logs_are_found(web3: Web3, token: Any) -> None:
    to = Account.create().address
    assert token.functions.symbol().call() == "TEST"
    receipt = sealed(web3, token.functions.transfer(to, 5).transact())
    assert token.functions.balanceOf(to).call() == 5
    logs = token.events.Transfer().get_logs(from_block=receipt["blockNumber"], argument_filters={"to": to})
    assert [(log["args"]["value"], log["transactionHash"]) for log in logs] == [(5, receipt["transactionHash"])]
    [decoded] = token.events.Transfer().process_receipt(receipt)
    assert decoded["args"]["to"] == to


def test_a_filter_sees_what_comes_after_it(web3: Web3, token: Any) -> None:
    to = Account.create().address
    log_filter = token.events.Transfer.create_filter(from_block="latest", argument_filters={"to": to})
    sealed(web3, token.functions.transfer(to, 7).transact())
    assert [log["args"]["value"] for log in log_filter.get_new_entries()] == [7]
    assert log_filter.get_new_entries() == []


def test_reverts_carry_their_reason_and_data(web3: Web3, token: Any) -> None:
    with pytest.raises(ContractLogicError, match="no means no"):
        token.functions.explain().call()
    with pytest.raises(ContractCustomError) as refused:
        token.functions.refuse(3).call()
    assert web3.eth.default_account[2:].lower() in str(refused.value.data)
    with pytest.raises((ContractLogicError, ContractCustomError)):
        token.functions.transfer(Account.create().address, 10**30).estimate_gas()


def test_refusals_use_the_words_that_wallets_match(web3: Web3, devnet: Devnet) -> None:
    poor = Account.create()
    transaction = {
        "to": poor.address,
        "value": 1,
        "gas": 21_000,
        "nonce": 0,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 1,
        "chainId": devnet.info["chainId"],
    }
    with pytest.raises(Web3RPCError, match="insufficient funds for gas"):
        web3.eth.send_raw_transaction(poor.sign_transaction(transaction).raw_transaction)
    with pytest.raises(Web3RPCError, match=r"invalid chain id|invalid sender"):
        web3.eth.send_raw_transaction(poor.sign_transaction(transaction | {"chainId": 1}).raw_transaction)


async def test_a_subscriber_hears_of_new_blocks_and_logs(devnet: Devnet, token: Any) -> None:
    async with AsyncWeb3(WebSocketProvider(devnet.info["wsUrl"])) as web3:
        heads = await web3.eth.subscribe("newHeads")
        logs = await web3.eth.subscribe("logs", {"address": token.address})
        sent = token.functions.transfer(Account.create().address, 9).transact()
        heard: dict[str, Any] = {}
        async for message in web3.socket.process_subscriptions():
            heard[message["subscription"]] = message["result"]
            if {heads, logs} <= heard.keys():
                break
        assert heard[logs]["transactionHash"] == sent
        assert heard[heads]["number"] > 0
