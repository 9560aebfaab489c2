"""The layer on a real L1, with an inbox of its own and a key that nobody else uses."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from da.ethereum import inbox
from da.ethereum.beacon import BeaconNode
from da.ethereum.config import EthereumConfig
from da.ethereum.deploy import Deployed, deploy_inbox
from da.ethereum.journal import Journal
from da.ethereum.l1 import L1Node
from da.ethereum.layer import EthereumLayer
from da.ethereum.prover import Prover
from da.ethereum.sender import Sender
from da.fallback import FallbackConfig
from da.http import HttpClient
from sequencer.core.ports import BlobRef, DataAvailability, Storage
from sequencer.signer.local import LocalSigner
from tests.l1 import L1
from tests.unit.da.world import Disk


@dataclass
class Settled:
    """What outlives a layer object: the chain, the contract, the key and the journal."""

    chain: L1
    config: EthereumConfig
    signer: LocalSigner
    inbox: Deployed
    disk: Storage
    prover: Prover


def config_for(chain: L1, **settings: object) -> EthereumConfig:
    return EthereumConfig(**({"url": chain.url, "poll_interval_ms": 20} | settings))  # type: ignore[arg-type]


async def settle(chain: L1, prover: Prover, config: EthereumConfig | None = None) -> Settled:
    """Deploy an inbox with a new funded key."""
    config = config or config_for(chain)
    signer = LocalSigner(secrets.token_bytes(32))
    chain.fund(signer.address)
    async with L1Node(config.url, config.read_timeout_ms) as l1:
        inbox = await deploy_inbox(l1, signer, config)
    return Settled(chain, config, signer, inbox, Disk(), prover)


@asynccontextmanager
async def layer_on(
    world: Settled,
    *,
    disk: Storage | None = None,
    celestia: DataAvailability | None = None,
    fallback: FallbackConfig | None = None,
) -> AsyncIterator[EthereumLayer]:
    """A process's layer."""
    config = world.config
    async with AsyncExitStack() as stack:
        l1 = await stack.enter_async_context(L1Node(config.url, config.read_timeout_ms))
        http = await stack.enter_async_context(HttpClient("the beacon node", config.max_response_bytes))
        sender = Sender(
            l1=l1,
            chain_id=await l1.chain_id(),
            inbox_address=world.inbox.address,
            signer=world.signer,
            prover=world.prover,
            journal=Journal(disk or world.disk),
            config=config,
            clock_ms=clock_ms,
        )
        yield EthereumLayer(
            config=config,
            l1=l1,
            beacon=BeaconNode(http, config.beacon, config.read_timeout_ms),
            inbox_address=world.inbox.address,
            start_block=world.inbox.block,
            prover=world.prover,
            clock_ms=clock_ms,
            sender=sender,
            celestia=celestia,
            fallback=fallback,
        )


class Public:
    """What stands on the L1 now, read without any of the layer's code but the contract's encoding; calldata only."""

    def __init__(self, world: Settled) -> None:
        self._world = world

    def contents(self) -> list[tuple[BlobRef, bytes]]:
        query = {"address": "0x" + self._world.inbox.address.hex(), "fromBlock": "0x0"}
        found = []
        for log in self._world.chain.rpc("eth_getLogs", query):
            reference = inbox.parse_event(log)
            call = self._world.chain.rpc("eth_getTransactionByHash", "0x" + reference.transaction_hash.hex())
            data = inbox.read_calldata(bytes.fromhex(call["input"][2:]))
            found.append((BlobRef("ethereum", reference.block_number, reference.commitment), data))
        return found


class EthereumTwin:
    """The chain and the newest layer on it as one object, with what worlds do to a layer. The chain makes a block for
    each transaction and with every step of time."""

    def __init__(self, world: Settled, layer: EthereumLayer) -> None:
        self.world = world
        self.contents = Public(world).contents
        self._layer = layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def advance(self) -> None:
        self.world.chain.mine()

    def inject(self, blob: bytes) -> None:
        """Nobody else posts here."""

    def reorg(self, depth: int) -> None:
        """As deep as may be: neither what is final nor the contract itself."""
        chain = self.world.chain
        finalized = int(chain.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)
        deepest = chain.height - max(finalized, self.world.inbox.block)
        if deepest > 0:
            chain.rpc("anvil_reorg", min(depth, deepest), [])


def clock_ms() -> int:
    return time.time_ns() // 1_000_000
