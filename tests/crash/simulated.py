"""Crashes and power losses by the hundred, in this process, each at a step drawn from a seed.

    python -m tests.crash.simulated --count 900 --kind kill
    python -m tests.crash.power_loss --count 200

Every step between two duties gets its turn: a life of the node ends before its n-th write of the guard, sync of the
log, signature, publication, and so on, also while it is still starting after the crash before.
"""

import argparse
import json
import sys
import time
from collections import Counter
from random import Random
from typing import Any, Final, Literal

from tests.crash.steps import Steps
from tests.crash.world import World, quiet

Kind = Literal["kill", "power"]
LIVES: Final = 12
"""Crashes that one world goes through before it is looked at as a whole and the next one begins."""
FIRST_STEPS: Final = ("guard create", "guard write", "guard sync", "guard rename", "folder sync")
"""Where the very first life of a world may end: while its guard is made."""
STEPS: Final = {
    "guard write": 8,
    "log write": 8,
    "log sync": 8,
    "guard sync": 8,
    "sign": 8,
    "publish": 8,
    "store write": 20,
    "state commit": 4,
    "sign batch": 1,
    "DA submit": 1,
    "DA answer": 1,
    "log rename": 1,
    "folder sync": 2,
    "spare segment write": 1,
    "spare segment sync": 2,
    "state unwind": 1,
}
"""Where a life may end, in the order of duties, and before about the how manieth time: about as often as one life
does it. The rare ones come round as often as the common ones."""
TRANSACTIONS: Final = 60


def campaign(kind: Kind, count: int, seed: int) -> dict[str, Any]:
    """``count`` lives, each cut off. Raises ``AssertionError`` at the first broken promise, naming its world."""
    quiet()
    started = time.monotonic()
    issued = checks = flashblocks = batches = 0
    at: Counter[str] = Counter()
    for first in range(0, count, LIVES):
        world = World(Random(f"{kind} {seed} {first}"))
        try:
            for life in range(first, min(first + LIVES, count)):
                step = (
                    FIRST_STEPS[first // LIVES % len(FIRST_STEPS)] if life == first else list(STEPS)[life % len(STEPS)]
                )
                at[_one_life(world, kind, step)] += 1
            world.finish()
        except AssertionError as error:
            error.add_note(f"kind {kind}, seed {seed}, world from life {first}")
            raise
        issued += len(world.promises)
        checks += world.checks
        flashblocks += len(world.signed)
        batches += len(world.batches)
    return {
        "drill": f"simulated {kind}",
        "runs": count,
        "passed": count,
        "seed": seed,
        "promises": {"issued": issued, "kept": issued, "lost": 0, "doubled": 0},
        "checks": checks,
        "flashblocksSigned": flashblocks,
        "batchesSigned": batches,
        "endedBefore": dict(at.most_common()),
        "seconds": round(time.monotonic() - started, 1),
    }


def _one_life(world: World, kind: Kind, step: str) -> str:
    """The step that it ended before, or what else ended it."""
    steps = Steps(step, world.random.randint(1, STEPS.get(step, 1)))
    world.live(steps, TRANSACTIONS)
    if kind == "kill":
        world.crash()
    else:
        world.power_loss()
    return steps.died_at or "the end of its work"


def main(kind: Kind | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    if kind is None:
        parser.add_argument("--kind", choices=("kill", "power"), default="kill")
    arguments = parser.parse_args()
    print(json.dumps(campaign(kind or arguments.kind, arguments.count, arguments.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
