"""Runs the micro benchmarks. CPU seconds of the process are what to compare; the machine may be shared.

``--fillers N,M`` are the sizes of the state in accounts (default 10000,300000), ``--rounds`` how often each
workload runs; minimum, median and maximum are shown.
"""

import argparse
import sys

from bench.micro import workloads
from bench.micro.runs import execution, open_chain, recovery, roots


def main() -> None:
    """Parse the arguments and run everything."""
    parser = argparse.ArgumentParser(prog="bench.micro", description=__doc__)
    parser.add_argument("--fillers", default="10000,300000")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    report = sys.stdout.write
    for line in recovery(options.rounds):
        report(line + "\n")
    for fillers in map(int, options.fillers.split(",")):
        with open_chain(workloads.USERS, fillers) as chain:
            report(f"--- {fillers} accounts ---\n")
            for line in (*execution(chain, options.rounds), *roots(chain, options.rounds)):
                report(line + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
