"""The read workers: how many run at once, and what happens to one that is late."""

import queue
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from execution.evm.reference.process import ExecutionProcess
from execution.evm.reference.wire import value_of
from sequencer.core.errors import DeadlineExceeded, Temporary


@dataclass(frozen=True, slots=True)
class _Worker:
    name: int
    connection: "Connection[Any, Any]"


class ReadPool:
    """At most ``size`` calls at once; more wait their turn within their own deadline."""

    def __init__(self, process: ExecutionProcess, size: int) -> None:
        self._process = process
        self._places: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._places.put(None)

    def ask(self, deadline_s: float, *request: Any) -> Any:
        """The worker's answer. Raises ``DeadlineExceeded``, after which nothing runs any more, or ``Temporary``."""
        give_up = time.monotonic() + deadline_s
        try:
            worker = self._places.get(timeout=max(deadline_s, 0))
        except queue.Empty:
            raise DeadlineExceeded("execution timeout: every read worker is busy") from None
        try:
            if worker is None:
                worker = _Worker(*self._process.fork_reader())
            answer = _exchange(worker.connection, request, give_up)
        except (EOFError, OSError) as error:
            self._end(worker)
            worker = None
            raise Temporary("the read worker is gone") from error
        except DeadlineExceeded:
            self._end(worker)
            worker = None
            raise
        finally:
            self._places.put(worker)
        return value_of(answer)

    def _end(self, worker: _Worker | None) -> None:
        if worker is not None:
            self._process.kill_reader(worker.name)
            worker.connection.close()

    def close(self) -> None:
        """Close the connections of idle workers, which ends them."""
        while True:
            try:
                worker = self._places.get_nowait()
            except queue.Empty:
                return
            if worker is not None:
                worker.connection.close()


def _exchange(connection: "Connection[Any, Any]", request: tuple[Any, ...], give_up: float) -> tuple[Any, ...]:
    connection.send(request)
    if not connection.poll(max(give_up - time.monotonic(), 0)):
        raise DeadlineExceeded("execution aborted (timeout)")
    answer: tuple[Any, ...] = connection.recv()
    return answer
