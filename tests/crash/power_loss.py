"""Power losses: what was not synced is lost at random, sector by sector; nothing that was promised is.

python -m tests.crash.power_loss --count 200
"""

import sys

from tests.crash.simulated import main

if __name__ == "__main__":
    sys.exit(main("power"))
