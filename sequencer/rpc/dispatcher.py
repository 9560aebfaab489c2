"""From bytes to bytes: parses envelopes, runs handlers under their limits, encodes responses.

Whatever comes in, what goes out is valid JSON-RPC. A batch is worked through in order, one request at a
time, so that it takes no more than one slot of any kind; only consecutive sends go in together, which is
what lets the pool decode and recover them in one call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final, TypeAlias, cast

import orjson
import structlog

from sequencer.core.errors import Defect, Fatal, SequencerError
from sequencer.core.plain_reads import PlainReads
from sequencer.core.sends import PlainSends
from sequencer.core.types import Hash32
from sequencer.rpc import jsonrpc
from sequencer.rpc.awaited_send import AwaitedSend
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError, translate
from sequencer.rpc.jsonrpc import Invalid, Parsed, Request
from sequencer.rpc.limits import Gate, gates
from sequencer.rpc.methods.eth_send import SEND_SYNC
from sequencer.rpc.methods.eth_subscribe import Session
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.methods.table import METHODS
from sequencer.rpc.metrics import OTHER, RpcMetrics
from sequencer.rpc.params import parse_params

_log = structlog.get_logger()

_PLAIN_BUDGET_S: Final = 0.002
"""How long plain reads may keep the event loop before they go the general way, which begins anew. Instructions are
counted as well and end most of them sooner; this is for what a count cannot tell, such as a slow disk."""
_PLAIN_BODY_BYTES: Final = 64 * 1024
"""A longer body is not looked at for plain reads: it holds more work than a turn of the event loop has room for."""
_LONGEST_TURN_S: Final = 0.005
"""How long a batch may keep the event loop before others get their turn."""
_UNKNOWN_WEIGHT: Final = 1
SEND: Final = "eth_sendRawTransaction"
_SHOWN_NAME_LENGTH: Final = 80


@dataclass(frozen=True, slots=True)
class Plain:
    """A body of plain reads, which the engine answers itself or declines."""

    body: bytes | str
    reads: PlainReads


Incoming: TypeAlias = Parsed | list[Parsed] | Plain


class Dispatcher:
    """Answers requests for one chain. ``on_fatal`` is told of errors that must end the process."""

    def __init__(self, chain: ServedChain, metrics: RpcMetrics, on_fatal: Callable[[Fatal], None]) -> None:
        self._chain = chain
        self._metrics = metrics
        self._on_fatal = on_fatal
        self._gates: dict[Kind, Gate] = dict(gates(chain.config))
        self._methods = METHODS
        # Plain reads are of the pre-confirmed state.
        self._plain_reader = chain.backend.plain_reader if chain.config.preconfirmed_latest else None
        self._batch_limit = chain.config.batch_limit
        self._response_limit = chain.config.response_limit_bytes

    async def respond(self, body: bytes | str, session: Session | None = None) -> bytes:
        """The encoded response to a request or batch; empty when it only notified."""
        return await self.answer(self.read(body), session)

    def read(self, body: bytes | str) -> Incoming:
        """The request or batch in ``body``."""
        if self._plain_reader is not None and len(body) <= _PLAIN_BODY_BYTES:
            reads = self._plain_reader.plain_reads(body.encode() if isinstance(body, str) else body, self._batch_limit)
            if reads is not None:
                return Plain(body, reads)
        return jsonrpc.parse(body, self._batch_limit)

    def cost(self, incoming: Incoming) -> int:
        """What it weighs, which is what it costs its sender."""
        if isinstance(incoming, Plain):
            return len(incoming.reads) * self._methods[incoming.reads.method].weight
        return sum(map(self._weight, incoming)) if isinstance(incoming, list) else self._weight(incoming)

    async def answer(self, incoming: Incoming, session: Session | None = None) -> bytes:
        """As ``respond``, for what ``read`` returned."""
        parsed = self._parsed(incoming)
        if isinstance(parsed, list):
            return await self._respond_batch(parsed, session)
        return await self._respond_one(parsed, session)

    def answer_now(self, incoming: Incoming) -> bytes | None:
        """As ``answer``, for what can be answered without waiting; None for anything else."""
        if isinstance(incoming, Plain):
            return self._answer_plain(incoming.reads)
        if not isinstance(incoming, Request):
            return None
        method = self._methods.get(incoming.method)
        if method is None or method.awaits or method.kind is Kind.SESSION:
            return None
        return self._respond_at_once(method, incoming, None)

    async def submit_all(self, raws: Sequence[bytes], hashes: Sequence[Hash32]) -> list[tuple[int, bytes]]:
        """Hand raw transactions in as that many ``eth_sendRawTransaction`` would. The places of those that are refused,
        in order, each with its encoded ``error`` member."""
        began = perf_counter()
        answers: Sequence[Exception | None]
        try:
            answers = await self._chain.backend.submit_all(raws, hashes)
        except Exception as error:  # noqa: BLE001 - a defect must cost these answers, not the server
            answers = [error] * len(raws)
        seconds = perf_counter() - began
        refused: list[tuple[int, bytes]] = []
        for place, refusal in enumerate(answers):
            if refusal is not None:
                explained = self._explain(refusal, SEND)
                self._metrics.observe(SEND, explained.code, seconds)
                refused.append((place, orjson.dumps(explained.to_json())))
        self._metrics.observe(SEND, 0, seconds, len(raws) - len(refused))
        return refused

    def begin_awaited(
        self,
        sends: PlainSends,
        finish: Callable[[bytes | None], None],
        spawn: Callable[[Coroutine[object, object, None]], object],
    ) -> AwaitedSend | None:
        """Hand in the transaction of an ``eth_sendRawTransactionSync`` at once. ``finish`` gets the response, or None
        once the sender is gone. None if that is not possible; nothing has changed then, and the general way says why.
        """
        gate = self._gates[Kind.WAIT]
        if not gate.enter_now():
            return None
        began = perf_counter()

        def respond(response: bytes | None, code: int) -> None:
            gate.leave()
            finish(response)
            self._metrics.observe(SEND_SYNC, code, perf_counter() - began)

        awaited = AwaitedSend(
            self._chain, sends.id, sends.hashes[0], respond, spawn, lambda error: self._explain(error, SEND_SYNC)
        )
        try:
            begun = awaited.begin(sends.raws[0])
        except Exception:  # noqa: BLE001 - the general way meets it again, and explains it
            begun = False
        if begun:
            return awaited
        gate.leave()
        return None

    def cost_of(self, sends: PlainSends) -> int:
        """What they weigh."""
        return self._methods[SEND_SYNC if sends.awaited else SEND].weight * len(sends)

    def refuse(self, incoming: Incoming, error: RpcError) -> bytes:
        """The response that turns all of it away at once."""
        parsed = self._parsed(incoming)
        self._metrics.observe(OTHER, error.code, 0.0)
        return jsonrpc.failure(None if isinstance(parsed, list) else parsed.id, error)

    def _parsed(self, incoming: Incoming) -> Parsed | list[Parsed]:
        return jsonrpc.parse(incoming.body, self._batch_limit) if isinstance(incoming, Plain) else incoming

    def _answer_plain(self, reads: PlainReads) -> bytes | None:
        """None for the general way to find out."""
        config, count, method = self._chain.config, len(reads), self._methods[reads.method]
        if self._plain_reader is None or count * method.weight > config.batch_cost_limit:
            return None
        began = perf_counter()
        try:
            answer = self._plain_reader.answer_plain(
                reads, config.call_gas_cap, _PLAIN_BUDGET_S, config.response_limit_bytes
            )
        except SequencerError:  # the general way meets it again, and explains it
            return None
        if answer is not None:
            self._metrics.observe(method.name, 0, (perf_counter() - began) / count, count)
        return answer

    async def _respond_batch(self, batch: list[Parsed], session: Session | None) -> bytes:
        cost, limit = self.cost(batch), self._chain.config.batch_cost_limit
        if cost > limit:
            message = f"batch too large: it weighs {cost}, at most {limit} is allowed"
            return self.refuse(batch, RpcError(Errors.BATCH_TOO_LARGE, message))
        responses: list[bytes] = []
        size, at, turn_began = 0, 0, perf_counter()
        while at < len(batch):
            run = self._leading_sends(batch, at) or 1
            if size > self._response_limit:
                answers = [self._too_large(item) for item in batch[at : at + run]]
            elif run > 1:
                answers = await asyncio.gather(*[self._respond_one(item, session) for item in batch[at : at + run]])
            else:
                answers = [await self._respond_one(batch[at], session)]
            kept = [answer for answer in answers if answer]
            size += sum(map(len, kept))
            if size > self._response_limit:
                kept = [
                    self._too_large(item) for item, answer in zip(batch[at : at + run], answers, strict=True) if answer
                ]
            responses += kept
            at += run
            if perf_counter() - turn_began > _LONGEST_TURN_S:
                await asyncio.sleep(0)
                turn_began = perf_counter()
        return jsonrpc.join_batch(responses)

    async def _respond_one(self, parsed: Parsed, session: Session | None) -> bytes:
        if isinstance(parsed, Invalid):
            self._metrics.observe(OTHER, parsed.error.code, 0.0)
            return jsonrpc.failure(parsed.id, parsed.error)
        method = self._methods.get(parsed.method)
        if method is None or not method.awaits:
            return self._respond_at_once(method, parsed, session)
        began, code = perf_counter(), 0
        try:
            response = self._encoded(parsed, await self._await(method, self._arguments(method, parsed)))
        except Exception as error:  # noqa: BLE001 - a defect in one handler must cost one answer, not the server
            answer = self._explain(error, method.name)
            code, response = answer.code, jsonrpc.failure(parsed.id, answer)
        self._metrics.observe(method.name, code, perf_counter() - began)
        return b"" if parsed.notification else response

    def _respond_at_once(self, method: Method | None, request: Request, session: Session | None) -> bytes:
        """The response of a method that does not await, or that there is no such method."""
        began, code, name = perf_counter(), 0, OTHER if method is None else method.name
        try:
            response = self._encoded(request, self._result(method, request, session))
        except Exception as error:  # noqa: BLE001 - as above
            answer = self._explain(error, name)
            code, response = answer.code, jsonrpc.failure(request.id, answer)
        self._metrics.observe(name, code, perf_counter() - began)
        return b"" if request.notification else response

    def _result(self, method: Method | None, request: Request, session: Session | None) -> object:
        if method is None:
            name = request.method[:_SHOWN_NAME_LENGTH]
            raise RpcError(Errors.METHOD_NOT_FOUND, Errors.METHOD_NOT_FOUND.text.format(method=name))
        arguments = self._arguments(method, request)
        if method.kind is not Kind.SESSION:
            return method.handler(self._chain, *arguments)
        if session is None:
            raise RpcError(Errors.NO_NOTIFICATIONS)
        return method.handler(self._chain, session, *arguments)

    def _arguments(self, method: Method, request: Request) -> Sequence[object]:
        return parse_params(method.parameters, request.params) if method.parameters or request.params else ()

    def _encoded(self, request: Request, result: object) -> bytes:
        response = jsonrpc.success(request.id, result)
        if len(response) > self._response_limit:
            raise RpcError(Errors.RESPONSE_TOO_LARGE)
        return response

    async def _await(self, method: Method, arguments: Sequence[object]) -> object:
        handler = cast("Callable[..., Awaitable[object]]", method.handler)
        gate = self._gates.get(method.kind)
        if gate is None:
            return await handler(self._chain, *arguments)
        async with gate:
            return await handler(self._chain, *arguments)

    def _explain(self, error: Exception, method: str) -> RpcError:
        """What the caller is told of an error."""
        if isinstance(error, RpcError):
            return error
        if isinstance(error, SequencerError):
            if isinstance(error, Fatal):
                self._on_fatal(error)
            elif isinstance(error, Defect):
                _log.error("a request met a defect", method=method, error=str(error))
            return translate(error)
        _log.error("rpc handler failed", method=method, exc_info=error)
        return RpcError(Errors.INTERNAL)

    def _too_large(self, item: Parsed) -> bytes:
        if isinstance(item, Request) and item.notification:
            return b""
        return jsonrpc.failure(item.id, RpcError(Errors.RESPONSE_TOO_LARGE))

    def _weight(self, item: Parsed) -> int:
        method = self._method_of(item)
        return method.weight if method is not None else _UNKNOWN_WEIGHT

    def _method_of(self, item: Parsed) -> Method | None:
        return self._methods.get(item.method) if isinstance(item, Request) else None

    def _leading_sends(self, batch: Sequence[Parsed], at: int) -> int:
        """How many consecutive sends stand at ``at``."""
        stop = at
        while stop < len(batch):
            method = self._method_of(batch[stop])
            if method is None or method.kind is not Kind.SEND:
                break
            stop += 1
        return stop - at
