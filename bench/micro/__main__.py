"""Runs the micro benchmarks of the native engine and prints them as JSON.

``--sizes N,M`` are the sizes of the state in accounts, ``--rounds`` how often each workload runs.
"""

import argparse
import json

from bench.micro import native


def main() -> None:
    """Parse the arguments and run everything."""
    parser = argparse.ArgumentParser(prog="bench.micro", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, native.SIZES)))
    parser.add_argument("--rounds", type=int, default=native.ROUNDS)
    options = parser.parse_args()
    print(json.dumps(native.run(tuple(map(int, options.sizes.split(","))), options.rounds), indent=1))


if __name__ == "__main__":
    main()
