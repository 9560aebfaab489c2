"""``python -m sequencer`` and the command ``sequencer``."""

import signal
import sys

from sequencer.cli.main import run


def main() -> None:
    """Run the command line and exit with its code.

    Until a node handles SIGTERM itself, the signal unwinds the stack, so that temporary folders are removed.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
