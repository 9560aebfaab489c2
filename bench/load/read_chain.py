"""What the read benchmarks read: a contract, and thousands of transactions that each wrote one log.

The contract, by the size of what it is called with::

    32 bytes  slot             answers the slot's value, as a token answers a balance
    64 bytes  topic || data    logs data under (0x77, caller, topic)
    else                       runs in a circle until 10,000 gas are left
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from bench.load.client import post, send_lanes
from bench.load.server import CHAIN_ID, KEYS, Server
from bench.load.work import FEE_WEI, senders
from sequencer.core.keccak import keccak256
from tests.wallet import Wallet, transaction_hash

BLOCK_TRANSACTIONS = 3_000
LOG_GAS_LIMIT = 30_000
LOG_GAS_USED = 24_300
"""About what a transaction that logs uses."""
BLOCK_GAS_LIMIT = BLOCK_TRANSACTIONS * LOG_GAS_USED + LOG_GAS_LIMIT // 2
BURN_GAS = 10_000_000
SLOT, VALUE = 1, 12345
RARE_TOPIC = keccak256(b"rare")
RARE_EVERY = 2_000
_RUNTIME = (
    "36602014601857"  # 32 bytes: to 0x18
    "36604014602557"  # 64 bytes: to 0x25
    "5b6127105a11600e5700"  # 0x0e: while gas > 10,000
    "5b6000355460005260206000f3"  # 0x18: the slot's value
    "5b602035600052600035336077602060"  # 0x25: log
    "00a300"
)
_CODE_SIZE = len(_RUNTIME) // 2
_STORE_SLOT = f"61{VALUE:04x}60{SLOT:02x}55"
INIT_CODE = bytes.fromhex(f"{_STORE_SLOT}60{_CODE_SIZE:02x}80601160003960" + "00f3" + _RUNTIME)
"""Stores the value and answers the runtime, which begins at byte 17."""


@dataclass(frozen=True)
class ReadChain:
    """What stands on a server that was filled."""

    server: Server
    contract: str
    holders: tuple[str, ...]
    hashes: tuple[str, ...]
    """Transactions of one full block, from all over it."""
    block_transactions: int


def fill(running: Server, count: int) -> ReadChain:
    """Deploys the contract and has ``count`` transactions write a log each, in blocks of some 3,000."""
    wallets = senders(running)
    contract = deploy(running)
    raws = _log_transactions(wallets, bytes.fromhex(contract[2:]), count)
    lanes = [[_send(running.url, lane[at : at + 50]) for at in range(0, len(lane), 50)] for lane in raws]
    uvloop.run(send_lanes(running.url, lanes))
    _wait(running, wallets)
    middle = raws[len(raws) // 2]
    receipt = running.rpc("eth_getTransactionReceipt", transaction_hash(middle[len(middle) // 2]))
    block = running.rpc("eth_getBlockByNumber", receipt["blockNumber"], False)
    hashes = block["transactions"]
    holders = tuple("0x" + wallet.address.hex() for wallet in wallets)
    return ReadChain(running, contract, holders, tuple(hashes[:: max(len(hashes) // 500, 1)]), len(hashes))


def deploy(running: Server) -> str:
    """The contract's address."""
    deployer = Wallet(KEYS[1], CHAIN_ID)
    creation = deployer.sign(data=INIT_CODE, gas_limit=200_000, max_fee_per_gas=FEE_WEI)
    return str(_included(running, creation)["contractAddress"])


def _log_transactions(wallets: Sequence[Wallet], contract: bytes, count: int) -> list[list[bytes]]:
    """A lane for each account."""
    each = count // len(wallets)
    lanes = []
    for index, wallet in enumerate(wallets):
        lane = []
        for serial in range(index * each, (index + 1) * each):
            topic = keccak256(serial.to_bytes(8, "big")) if serial % RARE_EVERY else RARE_TOPIC
            data = topic + serial.to_bytes(32, "big")
            lane.append(wallet.sign(to=contract, data=data, gas_limit=LOG_GAS_LIMIT, max_fee_per_gas=FEE_WEI))
        lanes.append(lane)
    return lanes


def _send(url: str, raws: Sequence[bytes]) -> bytes:
    calls = [request("eth_sendRawTransaction", "0x" + raw.hex()) for raw in raws]
    return post(url, json.dumps(calls).encode())


def request(method: str, *params: object) -> dict[str, object]:
    """A request as it goes into a batch or on its own."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def _included(running: Server, raw: bytes) -> dict[str, object]:
    sent = running.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    while True:
        receipt: dict[str, object] | None = running.rpc("eth_getTransactionReceipt", sent)
        if receipt and int(str(receipt["blockHash"]), 16):
            return receipt
        time.sleep(0.05)


def _wait(running: Server, wallets: Sequence[Wallet]) -> None:
    """Until every transaction is in a block, and that block is sealed."""
    for wallet in wallets:
        while int(running.rpc("eth_getTransactionCount", "0x" + wallet.address.hex(), "latest"), 16) < wallet.nonce:
            time.sleep(0.05)
    head = int(running.rpc("eth_blockNumber"), 16)
    while int(running.rpc("eth_blockNumber"), 16) <= head:
        time.sleep(0.05)
