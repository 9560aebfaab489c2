"""What the load benchmarks send: transfers, tokens and computation, from funded accounts over their own connections."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.load.client import post
from bench.load.server import CHAIN_ID, KEYS, Server
from bench.micro.workloads import KECCAK_CODE, TOKEN_CODE, word
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32
from tests.wallet import Wallet

FEE_WEI: Final = 100 * 10**9
SENDERS: Final = 100
ROUNDS: Final = 2_700
"""Of hashing, in one transaction of the computation: 256k gas."""

_Sign = Callable[[Wallet, int], bytes]
"""A raw transaction of the wallet's; the number is never the same twice."""


def senders(running: Server) -> list[Wallet]:
    """Funded accounts."""
    wallets = [Wallet(keccak256(b"bench" + bytes([index])), CHAIN_ID) for index in range(SENDERS)]
    fund(running, wallets)
    return wallets


def fund(running: Server, wallets: Sequence[Wallet]) -> None:
    """Give each 50 ether; it is in a sealed block when this returns."""
    bank = Wallet(KEYS[0], CHAIN_ID)
    bank.nonce = int(running.rpc("eth_getTransactionCount", "0x" + bank.address.hex(), "pending"), 16)
    for wallet in wallets:
        running.rpc("eth_sendRawTransaction", "0x" + bank.sign(to=wallet.address, value=50 * 10**18).hex())
    while not all(int(running.rpc("eth_getBalance", "0x" + w.address.hex(), "latest"), 16) for w in wallets):
        time.sleep(0.05)


def transfer(_running: Server, _wallets: Sequence[Wallet]) -> _Sign:
    """One wei to an address that is new."""
    return lambda wallet, number: wallet.sign(to=_fresh(number), value=1, max_fee_per_gas=FEE_WEI)


def token_transfer(running: Server, wallets: Sequence[Wallet]) -> _Sign:
    """One token to an address that is new. The token's constructor gives every wallet a balance."""
    slots = [keccak256(bytes(12) + wallet.address + bytes(32)) for wallet in wallets]
    mint = b"".join(b"\x7f" + word(10**24) + b"\x7f" + slot + b"\x55" for slot in slots)
    token = _deploy(running, mint, TOKEN_CODE)

    def sign(wallet: Wallet, number: int) -> bytes:
        data = bytes(12) + _fresh(number) + word(1)
        return wallet.sign(to=token, data=data, gas_limit=100_000, max_fee_per_gas=FEE_WEI)

    return sign


def computation(running: Server, _wallets: Sequence[Wallet]) -> _Sign:
    """Rounds of hashing, the same in every transaction, so that an engine that remembers hashes finds most of them."""
    contract = _deploy(running, b"", KECCAK_CODE)
    return lambda wallet, _: wallet.sign(to=contract, data=word(ROUNDS), gas_limit=400_000, max_fee_per_gas=FEE_WEI)


@dataclass(frozen=True)
class Load:
    """The requests of one round, a lane for each account, and the hash of one of the transactions in them."""

    lanes: list[list[bytes]]
    one: Hash32


@dataclass(frozen=True)
class Work:
    """A row of the table: what is sent, how many in one request, and what share of the transactions of a round."""

    prepare: Callable[[Server, Sequence[Wallet]], _Sign]
    batch: int = 1
    share: float = 1.0

    def load(self, running: Server, wallets: Sequence[Wallet], count: int) -> Load:
        """Of one round, at least a transaction for each account."""
        sign, each = self.prepare(running, wallets), count // len(wallets)
        raws = [
            [sign(wallet, index * 2**32 + serial) for serial in range(each)] for index, wallet in enumerate(wallets)
        ]
        return Load([_requests(running.url, lane, self.batch) for lane in raws], keccak256(raws[-1][-1]))


WORK: Final = {
    "single": Work(transfer),
    "batch50": Work(transfer, batch=50),
    "token": Work(token_transfer),
    "compute": Work(computation, share=0.1),
}


def _fresh(number: int) -> Address:
    return Address((number + 2**64).to_bytes(20, "big"))


def _deploy(running: Server, constructor: bytes, code: bytes) -> Address:
    """A contract with this code, after its constructor has run; from an account that sends nothing else."""
    size, offset = len(code).to_bytes(2, "big"), (len(constructor) + 11).to_bytes(2, "big")
    init = constructor + b"\x61" + size + b"\x80\x61" + offset + b"\x5f\x39\x5f\xf3" + code
    raw = Wallet(KEYS[1], CHAIN_ID).sign(data=init, gas_limit=10_000_000, max_fee_per_gas=FEE_WEI)
    transaction_hash = running.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    while (receipt := running.rpc("eth_getTransactionReceipt", transaction_hash)) is None:
        time.sleep(0.05)
    contract = Address(bytes.fromhex(receipt["contractAddress"][2:]))
    while running.rpc("eth_getCode", "0x" + contract.hex(), "latest") != "0x" + code.hex():
        time.sleep(0.05)
    return contract


def _requests(url: str, raws: list[bytes], batch: int) -> list[bytes]:
    calls = [
        {"jsonrpc": "2.0", "id": i, "method": "eth_sendRawTransaction", "params": ["0x" + raw.hex()]}
        for i, raw in enumerate(raws)
    ]
    if batch == 1:
        return [post(url, json.dumps(call).encode()) for call in calls]
    return [post(url, json.dumps(calls[at : at + batch]).encode()) for at in range(0, len(calls), batch)]
