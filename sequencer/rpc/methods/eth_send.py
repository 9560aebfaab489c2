"""``eth_sendRawTransaction`` and its waiting sister (EIP-7966)."""

from typing import Final, NoReturn

from sequencer.core.encoding import data
from sequencer.core.errors import NonceGap, Reason, Rejected, SequencerError, Temporary
from sequencer.core.keccak import keccak256
from sequencer.core.types import Hash32
from sequencer.core.views import Preconfirmed
from sequencer.rpc import params
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, optional
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.preconfirmation import preconfirmation
from sequencer.rpc.render.receipt import receipt


async def send_raw_transaction(chain: ServedChain, raw: bytes) -> str:
    """Admit a signed transaction; answers with its hash."""
    return data(await chain.backend.submit(raw))


async def send_raw_transaction_sync(chain: ServedChain, raw: bytes, timeout_ms: int | None) -> Json:
    """Admit a signed transaction and wait for its promise: the receipt, with a member ``preconfirmation``.

    Safe to repeat: a transaction that is known already is waited for, one that has its place is answered.
    Errors 4 (not in time), 5 (the node is not ready) and 6 (nonce gap; not admitted).
    """
    transaction_hash = keccak256(raw)
    try:
        await chain.backend.submit(raw, executable_only=True, until_promised=True)
    except SequencerError as error:
        if answer := _promised(chain, transaction_hash):
            return answer
        _explain(error, transaction_hash)
    waited_ms = _timeout_ms(chain, timeout_ms)
    try:
        promised = await chain.backend.wait_preconfirmed(transaction_hash, waited_ms / 1000)
    except Temporary:  # too many wait; the transaction is admitted all the same
        await chain.backend.persist_submitted()
        raise
    except TimeoutError:
        await timed_out(chain, transaction_hash, waited_ms)
    return promised_receipt(promised)


def promised_receipt(promised: Preconfirmed) -> Json:
    """The receipt with the promise."""
    return {**receipt(promised.inclusion), "preconfirmation": preconfirmation(promised.preconfirmation)}


async def timed_out(chain: ServedChain, transaction_hash: Hash32, waited_ms: int) -> NoReturn:
    """Raises error 4, once it is true that the pool has the transaction, whatever happens."""
    await chain.backend.persist_submitted()
    message = Errors.SYNC_TIMEOUT.text.format(timeout=f"{waited_ms / 1000:g}s")
    raise RpcError(Errors.SYNC_TIMEOUT, message, data(transaction_hash)) from None


def _explain(error: SequencerError, transaction_hash: Hash32) -> None:
    """Raises what the sender is told of a refusal. Being known already is none."""
    if isinstance(error, NonceGap):
        raise RpcError(Errors.SYNC_NONCE_GAP, str(error), hex(error.expected)) from None
    if isinstance(error, Temporary):
        message = f"{Errors.SYNC_NOT_READY.text}: {error}"
        raise RpcError(Errors.SYNC_NOT_READY, message, data(transaction_hash)) from None
    if not (isinstance(error, Rejected) and error.reason is Reason.ALREADY_KNOWN):
        raise error


def _promised(chain: ServedChain, transaction_hash: Hash32) -> Json | None:
    inclusion = chain.backend.inclusion(transaction_hash)
    if inclusion is None:
        return None
    promise = chain.backend.preconfirmation(transaction_hash)
    if promise is None:
        return None
    return promised_receipt(Preconfirmed(inclusion, promise))


def _timeout_ms(chain: ServedChain, wanted_ms: int | None) -> int:
    """The wanted time, or the default for one that is out of bounds (EIP-7966)."""
    if wanted_ms is None or not 0 < wanted_ms <= chain.config.sync_timeout_limit_ms:
        return chain.config.sync_timeout_ms
    return wanted_ms


SEND_SYNC: Final = "eth_sendRawTransactionSync"
_RAW = Parameter("transaction", params.data)
_TIMEOUT = optional("timeout", params.loose_integer)

METHODS = (
    Method("eth_sendRawTransaction", send_raw_transaction, (_RAW,), Kind.SEND),
    Method(SEND_SYNC, send_raw_transaction_sync, (_RAW, _TIMEOUT), Kind.WAIT),
)
