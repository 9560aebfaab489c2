"""What the native engine costs, by the size of its state: ``python -m bench.micro`` prints it, ``run`` gives it.

Every size is measured in a process of its own, so that its memory counts alone, on a chain that first grew to this
size block by block. Recovery is measured on one core and on two in turn. Figures that end in ``cpu_s`` or name CPU
do not depend on who else uses the machine; the others do.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

from bench.micro import runs
from bench.micro.chain import open_chain
from bench.micro.runs import Figures

SIZES: Final = (10_000, 1_000_000)
ROUNDS: Final = 5
BLOCKS: Final = 10
"""Full blocks a round: enough for the store to write its tables and to merge them."""


def run(sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> dict[str, Any]:
    """Every figure: a number, or minimum, median and maximum of several."""
    cores = sorted(os.sched_getaffinity(0))
    one, two = [], []
    for _ in range(rounds):
        one.append(_apart("recovery", rounds, cores[:1]))
        two.append(_apart("recovery", rounds, cores[:2]))
    results: dict[str, Any] = {"recovery": _recovery(one, two)}
    for size in sizes:
        results[f"{size} accounts"] = _apart(str(size), rounds, cores)
    small, large = (results[f"{size} accounts"] for size in (sizes[0], sizes[-1]))
    results["growth"] = {
        "cpu_per_transaction": _ratio(large, small, "blocks", "cpu_us_per_transaction"),
        "block_of_one_transaction": _ratio(large, small, "block_of_one", "cpu_us_mean"),
    }
    return results


def _recovery(one: list[dict[str, Any]], two: list[dict[str, Any]]) -> dict[str, Any]:
    best = [max(figures["per_s"]) for figures in one]
    both = [max(figures["per_s"]) for figures in two]
    return {
        "one_core_per_s": summary(best),
        "two_cores_per_s": summary(both),
        "one_core_cpu_us": summary([min(figures["cpu_us"]) for figures in one]),
        "one_core_cpu_us_singly": summary([min(figures["single_cpu_us"]) for figures in one]),
        "two_to_one": summary([second / first for first, second in zip(best, both, strict=True)]),
    }


def _ratio(large: dict[str, Any], small: dict[str, Any], part: str, name: str) -> float:
    return round(large[part][name] / small[part][name], 2)


def _apart(what: str, rounds: int, cores: list[int]) -> Any:
    """``measure`` in a process of its own, on these cores."""
    command = [sys.executable, "-m", "bench.micro.native", what, str(rounds), json.dumps(cores)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def measure(what: str, rounds: int) -> dict[str, Any]:
    """Recovery, as lists of figures; or everything at this size of the state, summed up."""
    if what == "recovery":
        return runs.recovery(rounds)
    with open_chain(int(what)) as chain:
        chain.reopen()
        parts: dict[str, Callable[[], Figures]] = {
            "block_of_one": lambda: runs.singles(chain),
            "execution": lambda: runs.execution(chain, rounds),
            "blocks": lambda: runs.blocks(chain, rounds * BLOCKS),
            "memory": lambda: runs.memory(chain),
            "root_of_2000_changes": lambda: runs.roots(chain, rounds),
            "cold_read": lambda: runs.cold_reads(chain, rounds),
        }
        return {part: {name: summary(values) for name, values in figures().items()} for part, figures in parts.items()}


def summary(values: list[float]) -> float | list[float]:
    """One value as it is, several as minimum, median and maximum."""
    if len(values) == 1:
        return round(values[0], 2)
    return [round(value, 2) for value in (min(values), statistics.median(values), max(values))]


if __name__ == "__main__":
    os.sched_setaffinity(0, json.loads(sys.argv[3]))
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
