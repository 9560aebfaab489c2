"""Plain sends, gathered over one turn of the event loop and served together.

Under load dozens of connections have a request waiting in each turn. One call reads them all, one coroutine hands
their transactions in, and one loop writes the answers, so that a request costs no task, no future and no parser of
its own. What a turn takes is bounded; the rest waits for the next one, and everybody else gets a turn in between.
Whatever the reader declines goes back to its connection, which serves it alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import structlog

from sequencer.core.errors import Defect
from sequencer.core.sends import PlainSends, SendReader
from sequencer.rpc.dispatcher import Dispatcher

if TYPE_CHECKING:
    from sequencer.rpc.fast_post import FastPaths, FastPost

_log = structlog.get_logger()

_TURN_BYTES: Final = 32 * 1024
"""What is read in one turn, give or take a request: some 75 transfers: three milliseconds of signature
recovery, or half a one where eight are recovered at once."""
PLAIN_BODY_BYTES: Final = 64 * 1024
"""A longer body is not read here: it holds more work than fits in a turn."""
_CALLERS_KEPT: Final = 1_024

_Served = tuple["FastPost", PlainSends, bytes]
"""A connection, its request, and the CORS lines of its answer."""


@dataclass(frozen=True, slots=True)
class _Caller:
    """What requests of one path, host and origin have in common."""

    dispatcher: Dispatcher
    cors: bytes


class SendTurn:
    """The connections whose next request has not been looked at."""

    def __init__(self, paths: "FastPaths", reader: SendReader) -> None:
        self._paths = paths
        self._reader = reader
        self._waiting: deque[FastPost] = deque()
        self._scheduled = False
        self._in_admission = 0
        self._callers: dict[bytes, _Caller | None] = {}

    def add(self, connection: "FastPost") -> None:
        """Look at its bytes before the next turn of the loop; exactly one of ``alone`` and ``answered`` follows."""
        self._waiting.append(connection)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        taken: list[FastPost] = []
        requests: list[bytes] = []
        size = 0
        while self._waiting and size < _TURN_BYTES:
            connection = self._waiting.popleft()
            request = connection.received()
            size += len(request)
            taken.append(connection)
            requests.append(request)
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._run)
        by_chain: dict[Dispatcher, list[_Served]] = {}
        now_s = time.monotonic()
        for connection, sends in zip(taken, self._read(requests), strict=True):
            caller = self._caller(sends) if sends is not None else None
            if sends is None or caller is None or not self._affords(connection, caller.dispatcher, sends, now_s):
                connection.alone()
            elif sends.awaited:
                self._await(connection, caller, sends)
            else:
                connection.begin(sends.end)
                by_chain.setdefault(caller.dispatcher, []).append((connection, sends, caller.cors))
        for dispatcher, served in by_chain.items():
            self._paths.serve(self._serve(dispatcher, served))

    def _await(self, connection: "FastPost", caller: "_Caller", sends: PlainSends) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def finish(body: bytes | None) -> None:
            over.set_result(None)
            self._paths.serving.discard(over)
            if body is not None:
                connection.answered_awaited(body, caller.cors, sends.accepts_gzip)

        awaited = caller.dispatcher.begin_awaited(sends, finish, self._paths.serve)
        if awaited is None:
            connection.alone()
        else:
            self._paths.serving.add(over)
            connection.begin(sends.end, awaited)

    def _read(self, requests: Sequence[bytes]) -> Sequence[PlainSends | None]:
        try:
            return self._reader.read(requests)
        except Defect as error:  # the general way reads them all
            _log.error("requests could not be read together", exc_info=error)
            return [None] * len(requests)

    def _affords(self, connection: "FastPost", dispatcher: Dispatcher, sends: PlainSends, now_s: float) -> bool:
        """There is room, and the client's rate allows it. Whom to refuse is left to the connection."""
        rates = self._paths.rates
        if self._in_admission + len(sends) > self._paths.config.send_limit:
            return False
        return not rates.limits or not rates.take(connection.client(sends), dispatcher.cost_of(sends), now_s)

    def _caller(self, sends: PlainSends) -> "_Caller | None":
        """Who asks for what; None for who may not. The same few ask all day."""
        key = sends.caller
        known = self._callers.get(key)
        if known is not None or key in self._callers:
            return known
        paths = self._paths
        dispatcher = paths.dispatchers.get(sends.path)
        allowed = dispatcher is not None and paths.access.host_allowed(sends.host)
        found = _Caller(dispatcher, paths.cors(sends.origin)) if allowed and dispatcher is not None else None
        if len(self._callers) >= _CALLERS_KEPT:
            self._callers.clear()
        self._callers[key] = found
        return found

    async def _serve(self, dispatcher: Dispatcher, served: Sequence[_Served]) -> None:
        raws = list(chain.from_iterable([sends.raws for _, sends, _ in served]))
        hashes = list(chain.from_iterable([sends.hashes for _, sends, _ in served]))
        self._in_admission += len(raws)
        try:
            refused = await dispatcher.submit_all(raws, hashes)
        finally:
            self._in_admission -= len(raws)
        if not refused:
            for connection, sends, cors in served:
                connection.answered(sends.answer(cors, ()))
            return
        first, at = 0, 0
        for connection, sends, cors in served:
            stop = at
            while stop < len(refused) and refused[stop][0] < first + len(sends):
                stop += 1
            connection.answered(sends.answer(cors, [(place - first, error) for place, error in refused[at:stop]]))
            first, at = first + len(sends), stop
