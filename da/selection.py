"""Opens the layer that a chain's genesis names, and makes that entry when a chain begins.

``open_layer`` gives the port together with the patience that its layer needs: a submission of unknown outcome may show
up for as long as the layer's pool keeps it. Libraries are imported with the layer that wants them, because web3 alone
takes seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from da.celestia import namespace
from da.celestia.config import CelestiaConfig
from da.celestia.layer import CelestiaLayer
from da.celestia.rpc import NodeRpc
from da.config import SubmitterConfig
from da.errors import LayerRefused
from da.ethereum.config import EthereumConfig
from da.fallback import FallbackConfig
from da.http import HttpClient
from da.local import LocalLayer
from sequencer.core.chain_spec import CelestiaOrigin, DaOrigin, EthereumOrigin
from sequencer.core.ports import DataAvailability, Signer, Storage
from sequencer.core.types import Hash32


@dataclass(frozen=True, slots=True)
class LayerSettings:
    """What operators may choose about the layers."""

    celestia: CelestiaConfig = field(default_factory=CelestiaConfig)
    ethereum: EthereumConfig = field(default_factory=EthereumConfig)
    fallback: FallbackConfig = field(default_factory=FallbackConfig)


@dataclass(frozen=True, slots=True)
class Poster:
    """What posting to Ethereum needs beside reading: a key, and a store for what was signed with it."""

    signer: Signer
    storage: Storage


@dataclass(frozen=True, slots=True)
class OpenLayer:
    """A layer in use. ``patience`` makes settings of the submitter suit it."""

    layer: DataAvailability
    patience: Callable[[SubmitterConfig], SubmitterConfig] = lambda config: config


@asynccontextmanager
async def open_layer(
    origin: DaOrigin | None,
    settings: LayerSettings,
    *,
    local_dir: Path,
    genesis_text: Callable[[], str] | None,
    clock_ms: Callable[[], int],
    poster: Poster | None = None,
) -> AsyncIterator[OpenLayer]:
    """The layer of a chain with this ``origin``; ``local`` in ``local_dir`` without one, made for the
    ``genesis_text`` that is asked for unless it is only read. Talks to nobody yet: a layer that is away delays posting,
    not the chain."""
    async with AsyncExitStack() as stack:
        if origin is None:
            local = LocalLayer(local_dir)
            if genesis_text is not None:
                await asyncio.to_thread(lambda: local.open(genesis_text()))
            yield OpenLayer(local)
            return
        celestia = await _celestia(stack, settings.celestia, origin.celestia) if origin.celestia else None
        if origin.ethereum:
            layer = await _ethereum(stack, settings, origin.ethereum, celestia, clock_ms, poster)
            yield OpenLayer(layer)
        elif celestia:
            yield OpenLayer(celestia, lambda config: _patient(config, settings.celestia))
        else:
            raise LayerRefused("genesis: no layer is named")


async def celestia_origin(config: CelestiaConfig, seed: Hash32) -> CelestiaOrigin:
    """Where a new chain begins on the network of the operator's node, in a namespace of its own. Raises
    ``Temporary``, ``LayerRefused``."""
    space = namespace.for_seed(seed)
    async with HttpClient("the celestia-node", config.max_response_bytes) as http:
        layer = CelestiaLayer(config, space, NodeRpc(http, config.url, config.token_file))
        return CelestiaOrigin(await layer.network(), space, await layer.head() + 1)


async def ethereum_origin(config: EthereumConfig, signer: Signer) -> EthereumOrigin:
    """Where a new chain begins on the operator's L1: an inbox of its own, paid by ``signer``. Raises ``Temporary``,
    ``LayerRefused``."""
    from da.ethereum.deploy import deploy_inbox
    from da.ethereum.l1 import L1Node

    async with L1Node(config.url, config.read_timeout_ms) as l1:
        inbox = await deploy_inbox(l1, signer, config)
        return EthereumOrigin(await l1.chain_id(), inbox.address, inbox.block)


def _patient(config: SubmitterConfig, layer: CelestiaConfig) -> SubmitterConfig:
    return replace(
        config,
        resend_after_ms=max(config.resend_after_ms, layer.resend_after_ms),
        confirm_timeout_ms=max(config.confirm_timeout_ms, layer.confirm_timeout_ms),
    )


async def _celestia(stack: AsyncExitStack, config: CelestiaConfig, origin: CelestiaOrigin) -> CelestiaLayer:
    http = await stack.enter_async_context(HttpClient("the celestia-node", config.max_response_bytes))
    rpc = NodeRpc(http, config.url, config.token_file)
    space = namespace.parse(origin.namespace.hex())
    return CelestiaLayer(config, space, rpc, network=origin.network, start_height=origin.start)


async def _ethereum(
    stack: AsyncExitStack,
    settings: LayerSettings,
    origin: EthereumOrigin,
    celestia: DataAvailability | None,
    clock_ms: Callable[[], int],
    poster: Poster | None,
) -> DataAvailability:
    from da.ethereum.beacon import BeaconNode
    from da.ethereum.journal import Journal
    from da.ethereum.l1 import L1Node
    from da.ethereum.layer import EthereumLayer
    from da.ethereum.prover import Prover
    from da.ethereum.sender import Sender

    config = settings.ethereum
    l1 = await stack.enter_async_context(L1Node(config.url, config.read_timeout_ms, origin.chain_id))
    http = await stack.enter_async_context(HttpClient("the beacon node", config.max_response_bytes))
    prover = Prover()
    stack.push_async_callback(asyncio.to_thread, prover.close)
    sender: Sender | None = None
    if poster is not None:
        sender = Sender(
            l1=l1,
            chain_id=origin.chain_id,
            inbox_address=origin.inbox,
            signer=poster.signer,
            prover=prover,
            journal=Journal(poster.storage),
            config=config,
            clock_ms=clock_ms,
        )
    return EthereumLayer(
        config=config,
        l1=l1,
        beacon=BeaconNode(http, config.beacon, config.read_timeout_ms),
        inbox_address=origin.inbox,
        start_block=origin.start,
        prover=prover,
        clock_ms=clock_ms,
        sender=sender,
        celestia=celestia,
        fallback=settings.fallback,
    )
