"""What the way from the pool to the promise costs: builder, engine, log, guard, signature, store and batches.

A whole chain in this process, without RPC: its pool is filled while the builder pauses, then it is let go. Flashblocks
hold as many transactions as they do under full load. CPU is what counts, of the event loop's thread and of all: the
difference runs beside the loop, mostly without the GIL.
"""

import asyncio
import gc
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import uvloop
from prometheus_client import CollectorRegistry

from sequencer import chain_file
from sequencer.chain import ChainRuntime
from sequencer.config import NodeConfig, Settings
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo
from sequencer.core.types import Address
from sequencer.core.views import FlashblockPublished
from sequencer.payload.config import PayloadConfig
from sequencer.signer.local import LocalSigner
from sequencer.stores import open_stores
from tests.wallet import Wallet

COUNT: Final = 20_000
SENDERS: Final = 100
FLASHBLOCK: Final = 40
CHAIN_ID: Final = 421701
GAS_LIMIT: Final = 1_000_000_000
FEE_WEI: Final = 100 * 10**9


def run(engine: str = "auto", rounds: int = 3) -> dict[str, Any]:
    """Microseconds of CPU a transaction; of several rounds the best one counts."""
    raws = _transfers()
    results = [uvloop.run(_round(engine, raws)) for _ in range(rounds)]
    return {"transactions": COUNT, **{name: min(result[name] for result in results) for name in results[0]}}


def _wallets() -> list[Wallet]:
    return [Wallet(keccak256(b"pipeline %d" % index), CHAIN_ID) for index in range(SENDERS)]


def _transfers() -> list[bytes]:
    """In turns, as a hundred connections send them; each to an account of its own."""
    wallets = _wallets()
    return [
        wallets[serial % SENDERS].sign(to=(2**64 + serial).to_bytes(20, "big"), value=1, max_fee_per_gas=FEE_WEI)
        for serial in range(COUNT)
    ]


async def _round(engine: str, raws: list[bytes]) -> dict[str, float]:
    block = PayloadConfig(flashblock_max_transactions=FLASHBLOCK)
    settings = Settings(node=NodeConfig(engine=engine), block=block)
    signer = LocalSigner(b"\x42" * 32)
    genesis = chain_file.load(chain_file.find("devnet")).genesis(
        timestamp=int(time.time()),
        seed=keccak256(b"pipeline"),
        sequencers=(SequencerInfo(signer.address, signer.address),),
        chain_id=CHAIN_ID,
        gas_limit=GAS_LIMIT,
        balances_wei={Address(wallet.address): 10**21 for wallet in _wallets()},
    )
    registry = CollectorRegistry()
    with tempfile.TemporaryDirectory() as folder:
        async with open_stores(settings, genesis, signer.address, Path(folder), registry, ()) as stores:
            chain = ChainRuntime(settings, stores, signer, registry)
            try:
                await chain.start()
                return await _drive(chain, raws)
            finally:
                chain.close()


async def _drive(chain: ChainRuntime, raws: list[bytes]) -> dict[str, float]:
    chain.pause()
    running = asyncio.create_task(chain.run())
    for at in range(0, len(raws), 100):
        await asyncio.gather(*map(chain.view.submit, raws[at : at + 100]))
    gc.collect()
    gc.freeze()
    gc.set_threshold(3_000, 2, 10_000)
    loop_s, all_s, begun = time.thread_time(), time.process_time(), time.perf_counter()
    promised = 0
    with chain.view.subscribe() as events:
        chain.resume()
        while promised < len(raws):
            event = await events.next()
            promised += len(event.inclusions) if isinstance(event, FlashblockPublished) else 0
    result = {
        "loopMicros": (time.thread_time() - loop_s) / len(raws) * 1e6,
        "allMicros": (time.process_time() - all_s) / len(raws) * 1e6,
        "perSecond": len(raws) / (time.perf_counter() - begun),
    }
    await chain.drain(10)
    running.cancel()
    await asyncio.wait([running])
    return result


if __name__ == "__main__":
    print(run(*sys.argv[1:]))
