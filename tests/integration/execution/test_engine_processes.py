"""No process of the engine outlives the node, and the node notices when one is gone."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest

from sequencer.core.calls import CallRequest
from sequencer.core.errors import Fatal, Temporary
from tests.conformance.execution.chains import CONTRACTS, Chain, ReferenceMaker, genesis

NODE = """
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from execution.selection import open_engine
from sequencer.core.calls import CallRequest
from tests.conformance.execution.chains import CONTRACTS, Chain, ReferenceMaker, genesis

folder = Path(sys.argv[1])
lock = open(folder / "lock", "w")
import fcntl
fcntl.flock(lock, fcntl.LOCK_EX)
made = []
starter = threading.Thread(
    target=lambda: made.append(open_engine("reference", folder, forks_needed=["prague"], pass_fds=[lock.fileno()]))
)
starter.start()
starter.join()
(engine,) = made
chain = Chain(engine, ReferenceMaker(folder), genesis(), engine.open(genesis()))
chain.begin()
spinning = CallRequest(to=CONTRACTS["LOOP"])
threading.Thread(target=lambda: engine.call(spinning, "pending", 10**15, 600.0), daemon=True).start()
print("ready", flush=True)
chain.execute(chain.users[0].send(CONTRACTS["LOOP"], gas=29_000_000)) if "busy" in sys.argv else None
threading.Event().wait()
"""


def _children(of: int) -> list[int]:
    """Every living descendant."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(state[1]) == of and state[0] != "Z":
                found += [int(entry.name), *_children(int(entry.name))]
    return found


def _eventually(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up, "it did not happen within 30 seconds"
        threading.Event().wait(0.01)


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(process: int) -> bool:
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("activity", ["waiting", "busy"])
def test_killing_the_node_ends_every_process_and_frees_the_lock(tmp_path: Path, activity: str) -> None:
    root = str(Path(__file__).parents[3])
    node = subprocess.Popen([sys.executable, "-c", NODE, str(tmp_path), root, activity], stdout=subprocess.PIPE)
    assert node.stdout is not None
    assert node.stdout.readline() == b"ready\n"
    _eventually(lambda: len(_children(node.pid)) == 3)
    family = _children(node.pid)
    node.send_signal(signal.SIGKILL)
    node.wait()
    node.stdout.close()
    _eventually(lambda: not any(map(_alive, family)))
    with (tmp_path / "lock").open("w") as lock:
        _eventually(lambda: _locked(lock))


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_signals_meant_for_the_node_do_not_end_its_engine(tmp_path: Path, signal_number: int) -> None:
    chain = _chain(tmp_path)
    for process in _children(os.getpid()):
        os.kill(process, signal_number)
    chain.block(chain.users[0].send(CONTRACTS["LOAD"], 1))
    assert chain.call("LOAD").succeeded
    chain.engine.close()


def test_a_dead_execution_process_is_fatal(tmp_path: Path) -> None:
    before = set(_children(os.getpid()))
    chain = _chain(tmp_path)
    chain.begin()
    chain.call("LOAD")
    family = set(_children(os.getpid())) - before
    worker = next(iter(p for p in family if set(_children(p)) == family - {p}))
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(Fatal, match="gone"):
        chain.execute(chain.users[0].send(CONTRACTS["LOAD"], 1))
    with pytest.raises(Fatal, match="gone"):
        chain.balance(CONTRACTS["LOAD"])
    _eventually(lambda: not any(map(_alive, family)))
    chain.engine.close()


def test_a_dead_read_worker_is_replaced(tmp_path: Path) -> None:
    before = set(_children(os.getpid()))
    chain = _chain(tmp_path)
    base = set(_children(os.getpid())) - before
    chain.call("LOAD")
    (reader,) = set(_children(os.getpid())) - before - base
    os.kill(reader, signal.SIGKILL)
    with pytest.raises(Temporary):
        chain.call("LOAD")
    assert chain.call("LOAD").succeeded
    chain.engine.close()


def test_closing_ends_every_process_and_may_come_before_anything_else(tmp_path: Path) -> None:
    before = set(_children(os.getpid()))
    ReferenceMaker(tmp_path).make("never-opened").close()
    chain = _chain(tmp_path)
    chain.call("LOAD")
    assert len(set(_children(os.getpid())) - before) == 3
    chain.engine.close()
    _eventually(lambda: set(_children(os.getpid())) == before)


def test_a_second_engine_on_the_same_state_is_refused(tmp_path: Path) -> None:
    chain = _chain(tmp_path)
    second = ReferenceMaker(tmp_path).make("state")
    with pytest.raises(Fatal, match="cannot be opened"):
        second.open(genesis())
    second.close()
    assert chain.engine.call(CallRequest(to=CONTRACTS["LOAD"]), 0, 10**6, 30.0).succeeded
    chain.engine.close()


def test_what_was_committed_survives_the_death_of_the_process_and_the_rest_is_replayed(tmp_path: Path) -> None:
    before = set(_children(os.getpid()))
    chain = _chain(tmp_path)
    raws = [chain.users[0].send(CONTRACTS["LOAD"], 1) for _ in range(3)]
    headers = [chain.block(raw).header for raw in raws]
    chain.engine.commit(1)
    for process in set(_children(os.getpid())) - before:
        os.kill(process, signal.SIGKILL)
    chain.engine.close()
    again = _chain(tmp_path)
    assert again.engine.height() == 1
    again.head = headers[0]
    assert [again.block(raw).header for raw in raws[1:]] == headers[1:]
    again.engine.close()


def _chain(folder: Path) -> Chain:
    maker = ReferenceMaker(folder)
    engine = maker.make("state")
    return Chain(engine, maker, genesis(), engine.open(genesis()))
