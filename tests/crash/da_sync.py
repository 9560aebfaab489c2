"""Syncs from DA that are cut off at every step, by a crash or a power loss, and begun again.

One chain is made and posted to its end. Then, for every step of a sync into an empty directory, a new machine dies
there, syncs again, goes on with the chain, and is held to every promise that the first one made: same place, same
outcome, same signature, one chain of signatures, one effective copy of every block on the layer.

    python -m tests.crash.da_sync --kind kill
    python -m tests.crash.da_sync --kind power --every 3
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from copy import deepcopy
from random import Random
from typing import Any

from da.adoption import Adoption
from da.memory import MemoryLayer
from da.outbox import Outbox
from sequencer.chain import ChainRuntime
from sequencer.clock import clock_ms
from sequencer.da_sync import DaSync
from sequencer.preconf.signing import GuardedSigner
from sequencer.signer.local import LocalSigner
from sequencer.storage.table import DA_OUTBOX, PrefixedStorage
from tests.crash.simulated import Kind
from tests.crash.steps import Died, Steps
from tests.crash.world import KEY, World, quiet

TRANSACTIONS = 60


class Drained(World):
    """A machine that stops in order: everything it promised is on the layer."""

    async def _use(self, runtime: ChainRuntime, steps: Steps, transactions: int) -> None:
        await self._send(runtime, transactions)
        await runtime.drain(30)
        steps.die()
        raise Died("stopped")


class Synced(World):
    """A new machine, which has nothing but the layer and the key."""

    def sync(self, steps: Steps, *, signed_nothing_beyond: bool = True) -> bool:
        """One start with ``--sync-from da``, without what comes after. False if it died."""
        return asyncio.run(self._sync(steps, signed_nothing_beyond=signed_nothing_beyond))

    async def _sync(self, steps: Steps, *, signed_nothing_beyond: bool) -> bool:
        stack = contextlib.ExitStack()
        try:
            stores = self._stores(steps)
            stack.enter_context(contextlib.suppress(Died))
            stack.callback(stores.sequence_log.close)
            await asyncio.to_thread(stores.sequence_log.open)
            await DaSync(
                genesis=stores.genesis,
                genesis_header=stores.genesis_header,
                engine=stores.engine,
                sequence_log=stores.sequence_log,
                storage=stores.storage,
                store=stores.blocks,
                meta=stores.meta,
                layer=self.layer,
                adoption=Adoption(Outbox(PrefixedStorage(stores.storage, DA_OUTBOX)), self.layer, clock_ms),
                guard=stores.guard,
                signer=GuardedSigner(LocalSigner(KEY), stores.domain, stores.guard),
                signed_nothing_beyond=signed_nothing_beyond,
                on_progress=lambda _: None,
                stopping=lambda: False,
                quiet_s=0,
            ).run()
        except BaseException:
            if not steps.dead.is_set():
                raise
            return False
        finally:
            steps.die()
            stack.close()
        return True


def posted(seed: int, *, final_after: int = 0) -> World:
    """A chain that was posted to its end, over two terms."""
    world = Drained(Random(seed), layer=MemoryLayer(blob_size_bytes=700, final_after=final_after))
    world.live(Steps(), TRANSACTIONS // 2)
    world.live(Steps(), TRANSACTIONS // 2)
    return world


def empty(origin: World, seed: int) -> Synced:
    """A machine that knows of ``origin`` what is public, and is held to all that it promised."""
    layer = MemoryLayer(blob_size_bytes=700, final_after=origin.layer._final_after)
    layer._heights = deepcopy(origin.layer._heights)
    return Synced(
        Random(seed),
        layer=layer,
        promises=dict(origin.promises),
        unchecked=list(origin.promises),
        signed=list(origin.signed),
        batches=list(origin.batches),
    )


def check_goes_on(world: Synced) -> None:
    """It leads, keeps what was promised, and posts nothing twice."""
    world.live(Steps(), transactions=8)
    world.finish()
    blobs = [blob for _, blob in world.layer.contents()]
    assert len(blobs) == len(set(blobs)), "posted twice"


def campaign(kind: Kind, seed: int, every: int) -> dict[str, Any]:
    """Die at every ``every``-th step. Raises ``AssertionError``."""
    quiet()
    started = time.monotonic()
    origin = posted(seed, final_after=seed % 2 * 4)
    whole, counted = empty(origin, seed), Steps()
    assert whole.sync(counted)
    check_goes_on(whole)
    places = [(name, n) for name, count in sorted(counted.taken.items()) for n in range(1, count + 1)]
    at: Counter[str] = Counter()
    checks = 0
    for name, n in places[seed % every :: every]:
        world = empty(origin, seed + n)
        assert not world.sync(Steps(name, n)), f"{name} {n} was not reached"
        at[name] += 1
        if kind == "kill":
            world.crash()
        else:
            world.power_loss()
        try:
            assert world.sync(Steps())
            check_goes_on(world)
        except Exception as error:
            error.add_note(f"kind {kind}, seed {seed}, died before {name} number {n}")
            raise
        checks += world.checks
    return {
        "drill": f"sync from DA, {kind}",
        "runs": sum(at.values()),
        "passed": sum(at.values()),
        "seed": seed,
        "promises": {"issued": len(origin.promises), "lost": 0, "doubled": 0},
        "checks": checks,
        "batches": len(origin.batches),
        "endedBefore": dict(at.most_common()),
        "seconds": round(time.monotonic() - started, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("kill", "power"), default="kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="die at every n-th step (1)")
    arguments = parser.parse_args()
    print(json.dumps(campaign(arguments.kind, arguments.seed, arguments.every)))
    sys.exit(0)
