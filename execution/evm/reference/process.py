"""The parent's hold on the execution process: starting it, asking it, ending it."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any, Final

from execution.evm.reference.wire import value_of
from sequencer.core.errors import Fatal

_CLOSE_TIMEOUT_S: Final = 10.0
BACKGROUND_NICE: Final = 5
"""Priority of a process that nobody waits for: out of the way, and yet never starved."""


class Channel:
    """One end of a socket to one of our processes. Requests of several threads take turns."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def ask(self, *request: Any, handles: Sequence[socket.socket] = ()) -> Any:
        """Send a request, and sockets after it, and wait for the answer. Raises ``Fatal`` if nobody is there."""
        try:
            with self._lock:
                self._connection.send(request)
                for handle in handles:
                    send_handle(self._connection, handle.fileno(), None)
                answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise Fatal("the execution process is gone") from error
        return value_of(answer)

    def receive(self) -> Any:
        """The next answer, for which nobody has to ask."""
        try:
            with self._lock:
                answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise Fatal("the execution process is gone") from error
        return value_of(answer)

    def close(self) -> None:
        """Close this end."""
        self._connection.close()


class ExecutionProcess:
    """Starts the process and does not wait for it: ``requests`` first yields what it says when it is ready.

    The thread that starts it also waits for its end, because Linux kills a child that is to die with its
    parent when the thread that started it ends.
    """

    def __init__(self, folder: Path, pass_fds: Sequence[int], nice: int = 0) -> None:
        ends = [socket.socketpair() for _ in range(3)]
        self.requests, self.reads, self._nursery = (Channel(_connection(ours)) for ours, _ in ends)
        self._theirs = [theirs for _, theirs in ends]
        self._folder = folder
        self._pass_fds = tuple(pass_fds)
        self._nice = nice
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="execution-process", daemon=True)
        self._thread.start()

    def fork_reader(self) -> tuple[int, "Connection[Any, Any]"]:
        """A new read worker: what to call it in ``kill_reader``, and the connection to it."""
        ours, workers = socket.socketpair()
        to_state, states = socket.socketpair()
        with workers, to_state, states:
            self.reads.ask("adopt", handles=[states])
            child = self._nursery.ask("fork", handles=[workers, to_state])
        return child, _connection(ours)

    def kill_reader(self, child: int) -> None:
        """End a read worker, whatever it is doing."""
        self._nursery.ask("kill", child)

    def close(self) -> None:
        """Hang up, upon which the process closes its files and ends; kill it if it does not."""
        for channel in (self.requests, self.reads, self._nursery):
            channel.close()
        self._thread.join(_CLOSE_TIMEOUT_S)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join()

    def _run(self) -> None:
        numbers = [theirs.fileno() for theirs in self._theirs]
        command = [sys.executable, "-P", "-m", "execution.evm.reference.worker", str(self._folder), str(os.getpid())]
        try:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [*command, *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(*numbers, *self._pass_fds),
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        finally:
            for theirs in self._theirs:
                theirs.close()
        if self._nice:
            with contextlib.suppress(OSError):  # where it may not, or is gone already, it need not
                os.setpriority(os.PRIO_PROCESS, self._process.pid, self._nice)
        self._process.wait()


def _connection(end: socket.socket) -> "Connection[Any, Any]":
    return Connection(end.detach())
