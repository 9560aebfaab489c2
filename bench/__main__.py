"""Runs the benchmarks and writes their results: ``python -m bench [--only NAME ...] [--list]``."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

PARTS = {
    "latency": "bench.load.latency",
    "throughput": "bench.load.throughput",
    "growth": "bench.load.growth",
    "native": "bench.micro.native",
    "reads": "bench.load.rpc_reads",
    "mixed": "bench.load.mixed",
    "logs": "bench.micro.logs",
    "pool": "bench.micro.pool",
    "pipeline": "bench.micro.pipeline",
    "da": "bench.micro.da",
}
"""Name on the command line, and the module whose ``run()`` answers a JSON object."""
RESULTS = Path(__file__).with_name("RESULTS.md")


def _load(module: str) -> Callable[[], dict[str, Any]]:
    run: Callable[[], dict[str, Any]] = import_module(module).run
    return run


def _machine() -> str:
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return f"{os.cpu_count()} x {cpu}, Python {platform.python_version()}, Linux {platform.release()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), help="run these parts alone")
    parser.add_argument("--list", action="store_true", help="list the parts and stop")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(sorted(PARTS)))
        return 0
    sections = [f"# Results\n\nMachine: {_machine()}. Method: [README.md](README.md).\n"]
    for name in arguments.only or PARTS:
        print(f"running {name}", file=sys.stderr)
        result = _load(PARTS[name])()
        sections.append(f"## {name}\n\n```json\n{json.dumps(result, indent=1)}\n```\n")
        print(json.dumps({name: result}))
    if not arguments.only:
        RESULTS.write_text("\n".join(sections))
    return 0


if __name__ == "__main__":
    sys.exit(main())
