"""One ``eth_sendRawTransactionSync`` on its short way: admitted at once, and answered by whoever makes the promise.

No task and no future wait in it. While the log's disk is at work on the transaction's flashblock, the whole response
is made but for the signature, so that once the promise is there, only 130 digits are put in their place. Always
holds: there is one response at most, and nothing leaves before the promise is made, or the transaction is in the
pool's journal.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

import structlog

from sequencer.core.errors import SequencerError
from sequencer.core.flashblock import UNSIGNED, Flashblock, SignedFlashblock
from sequencer.core.types import Hash32
from sequencer.core.views import Preconfirmed
from sequencer.rpc import jsonrpc
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.eth_send import promised_receipt, timed_out

_log = structlog.get_logger()

_SIGNATURE: Final = b'"signature":"0x'
_UNSIGNED: Final = _SIGNATURE + UNSIGNED.hex().encode()


class AwaitedSend:
    """``finish`` is called once, with the response and its error code, or with neither if it was cancelled. ``spawn``
    runs what has to wait; ``explain`` tells what the sender hears of an error."""

    __slots__ = (
        "_after",
        "_before",
        "_chain",
        "_expected",
        "_explain",
        "_finish",
        "_id",
        "_over",
        "_spawn",
        "_timer",
        "_transaction_hash",
    )

    def __init__(
        self,
        chain: ServedChain,
        request_id: bytes,
        transaction_hash: Hash32,
        finish: Callable[[bytes | None, int], None],
        spawn: Callable[[Coroutine[object, object, None]], object],
        explain: Callable[[Exception], RpcError],
    ) -> None:
        self._chain = chain
        self._id = request_id
        self._transaction_hash = transaction_hash
        self._finish = finish
        self._spawn = spawn
        self._explain = explain
        self._expected: Flashblock | None = None
        self._before = b""
        self._after = b""
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def begin(self, raw: bytes) -> bool:
        """Hand ``raw`` in. False if it cannot be taken at once; then nothing has changed."""
        if not self._chain.backend.submit_awaited(raw, self._transaction_hash, self):
            return False
        timeout_s = self._chain.config.sync_timeout_ms / 1000
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._time_is_up)
        return True

    def expect(self, value: Preconfirmed) -> None:
        """Make the response while there is time."""
        response, code = self._response(value)
        before, found, after = response.rpartition(_UNSIGNED)
        if found and not code:
            self._expected = value.preconfirmation.signed.flashblock
            self._before, self._after = before + _SIGNATURE, after

    def confirm(self, signed: SignedFlashblock) -> bool:
        """Sign the response that was made for this flashblock, if there is one."""
        if self._expected is not signed.flashblock:
            return False
        self._end(b"".join((self._before, signed.signature.hex().encode(), self._after)), 0)
        return True

    def resolve(self, value: Preconfirmed) -> None:
        """Respond."""
        self._end(*self._response(value))

    def fail(self, error: SequencerError) -> None:
        """Respond with the reason."""
        self._end(*self._failure(error))

    def cancel(self) -> None:
        """Nobody is there to hear a response."""
        self._end(None, 0)

    def _time_is_up(self) -> None:
        self._spawn(self._respond_late())

    async def _respond_late(self) -> None:
        """A promise that is made meanwhile is still told."""
        try:
            await timed_out(self._chain, self._transaction_hash, self._chain.config.sync_timeout_ms)
        except RpcError as error:
            self._end(*self._failure(error))

    def _response(self, value: Preconfirmed) -> tuple[bytes, int]:
        """Never raises: whoever makes promises goes on to the next one."""
        try:
            response = jsonrpc.success_encoded(self._id, promised_receipt(value))
        except Exception as error:  # noqa: BLE001 - a defect must cost this answer, not the chain
            return self._failure(error)
        if len(response) > self._chain.config.response_limit_bytes:
            return self._failure(RpcError(Errors.RESPONSE_TOO_LARGE))
        return response, 0

    def _failure(self, error: Exception) -> tuple[bytes, int]:
        explained = self._explain(error)
        return jsonrpc.failure_encoded(self._id, explained), explained.code

    def _end(self, response: bytes | None, code: int) -> None:
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._chain.backend.forget(self._transaction_hash, self)
        try:
            self._finish(response, code)
        except Exception:  # noqa: BLE001 - as above
            _log.exception("a promise could not be handed to its sender")
