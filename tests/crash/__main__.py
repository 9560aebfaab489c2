"""The whole crash drill: real processes killed under full load, and the rest of the cycles in this process.

One kill in ten is a real one, a hundred at most; the others are simulated, each at a step between two duties, half
of them crashes of the process and half losses of power. The last line is one JSON object that adds everything up.

    python -m tests.crash --cycles 1000
    python -m tests.crash --cycles 1000 --shards 4 --shard 1 --total crash.json     a quarter, added to a file
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.crash import kill9, simulated

REAL_LIMIT: Final = 100
DRILL: Final = "crash"


def drill(cycles: int, seed: int, shards: int, shard: int, engine: str) -> dict[str, Any]:
    """One shard's part of ``cycles``. Raises ``AssertionError`` at the first broken promise."""
    mine = _part(cycles, shards, shard)
    real = min(_part(min(max(cycles // 10, 1), REAL_LIMIT), shards, shard), mine)
    powers = (mine - real) // 2
    with tempfile.TemporaryDirectory() as folder:
        killed = kill9.campaign(real, seed + shard, Path(folder) / "node", engine) if real else {"promises": 0}
    crashed = simulated.campaign("kill", mine - real - powers, seed + shard)
    lost_power = simulated.campaign("power", powers, seed + shard)
    issued = killed["promises"] + crashed["promises"]["issued"] + lost_power["promises"]["issued"]
    return {
        "drill": DRILL,
        "runs": mine,
        "passed": mine,
        "realKills": real,
        "simulatedCrashes": crashed["runs"],
        "powerLosses": powers,
        "promises": {"issued": issued, "kept": issued, "lost": 0, "doubled": 0},
    }


def _part(count: int, shards: int, shard: int) -> int:
    return count * shard // shards - count * (shard - 1) // shards


def added(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Both runs together."""
    total = dict(now)
    for name, value in before.items():
        if isinstance(value, dict):
            total[name] = added(value, now[name])
        elif isinstance(value, int):
            total[name] = value + now[name]
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100, help="of all shards together")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--shard", type=int, default=1, help="which one to run, from 1 on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--total", type=Path, help="file to which the result is added")
    arguments = parser.parse_args()
    if not 1 <= arguments.shard <= arguments.shards:
        parser.error("--shard must be from 1 to --shards")
    result = drill(arguments.cycles, arguments.seed, arguments.shards, arguments.shard, arguments.engine)
    if arguments.total is not None:
        if arguments.total.exists():
            result = added(json.loads(arguments.total.read_text()), result)
        arguments.total.write_text(json.dumps(result) + "\n")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
