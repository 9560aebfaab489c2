"""Stop signals on a real process: the first asks, the second ends it."""

import signal
import subprocess
import sys

WAIT = """
import asyncio
from sequencer.lifecycle import stop_on_signals

async def main():
    with stop_on_signals() as stop:
        print("ready", flush=True)
        await stop.wait()
        print("stopping", flush=True)
        if {stuck}:
            await asyncio.Event().wait()

asyncio.run(main())
"""


def started(*, stuck: bool) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WAIT.format(stuck=stuck)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_one_signal_lets_the_process_end_in_order() -> None:
    process = started(stuck=False)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[0] == "stopping\n"
    assert process.returncode == 0


def test_a_second_signal_ends_a_process_that_is_stuck() -> None:
    process = started(stuck=True)
    assert process.stdout is not None
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    process.stdout.close()
