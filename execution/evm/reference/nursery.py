"""A process that does nothing but fork read workers.

Importing py-evm takes most of a second and forking a process that has imported it takes milliseconds, so a
worker that had to be killed is replaced at once. The nursery is forked off the execution process before that
one has threads or files, and being the workers' parent it can kill them by number without ever meaning
another process.
"""

import os
import signal
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

from execution.evm.reference import read_worker
from execution.evm.reference.mortality import die_with


def run(control: "Connection[Any, Any]") -> None:
    """Serve ``("fork",)``, followed by two sockets, with a process id, and ``("kill", id)``."""
    children: set[int] = set()
    while True:
        try:
            command = control.recv()
        except (EOFError, OSError):
            return
        children = {child for child in children if os.waitpid(child, os.WNOHANG)[0] == 0}
        if command[0] == "fork":
            child = _fork_worker(control)
            children.add(child)
            control.send(("ok", child))
            continue
        if command[1] in children:
            children.remove(command[1])
            os.kill(command[1], signal.SIGKILL)
            os.waitpid(command[1], 0)
        control.send(("ok", None))


def _fork_worker(control: "Connection[Any, Any]") -> int:
    requests, state = recv_handle(control), recv_handle(control)
    nursery = os.getpid()
    child = os.fork()
    if child:
        os.close(requests)
        os.close(state)
        return child
    try:
        die_with(nursery)
        control.close()
        read_worker.run(Connection(requests), Connection(state))
    finally:
        os._exit(0)
