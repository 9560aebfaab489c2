"""What crosses between the processes of the engine.

::

    request   (method, argument, ...)                              pickled, over a socket pair of our own
    answer    ("ok", value) | ("rejected", reason, detail) | (class of core/errors.py, text)

Only processes that this engine started hold an end of such a socket. Values on the hot path are plain tuples,
which pickle in microseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final, Literal

from sequencer.core.calls import AccountOverride, CallRequest
from sequencer.core.errors import DeadlineExceeded, Fatal, Reason, Rejected, SequencerError, Temporary
from sequencer.core.receipt import ExecutedOutcome, Log
from sequencer.core.simulation import Simulation
from sequencer.core.transaction import Transaction
from sequencer.core.types import Address

_ERRORS: Final[dict[str, type[SequencerError]]] = {
    "temporary": Temporary,
    "fatal": Fatal,
    "deadline": DeadlineExceeded,
}


def serve_one(
    connection: "Connection[Any, Any]", handle: Callable[..., Any], unforeseen: Literal["temporary", "fatal"]
) -> bool:
    """Answer the next request with what ``handle`` returns or raises. False when the other end is gone.

    ``unforeseen`` is what a failure means that ``handle`` has no error for.
    """
    try:
        request = connection.recv()
    except (EOFError, OSError):
        return False
    try:
        answer: tuple[Any, ...] = ("ok", handle(*request))
    except Rejected as error:
        answer = "rejected", error.reason.value, error.detail
    except Temporary as error:
        answer = "temporary", str(error)
    except Fatal as error:
        answer = "fatal", str(error)
    except DeadlineExceeded as error:
        answer = "deadline", str(error)
    except Exception as error:  # noqa: BLE001  (whatever it is, the caller hears of it)
        answer = unforeseen, f"the reference engine failed: {error!r}"
    try:
        connection.send(answer)
    except OSError:
        return False
    return True


def value_of(answer: tuple[Any, ...]) -> Any:
    """The value in an answer. Raises what the other side raised."""
    kind = answer[0]
    if kind == "ok":
        return answer[1]
    if kind == "rejected":
        raise Rejected(Reason(answer[1]), answer[2])
    raise _ERRORS[kind](answer[1])


def pack_transaction(transaction: Transaction) -> tuple[Any, ...]:
    """The fields of ``transition.Call``."""
    return (
        transaction.type,
        transaction.chain_id,
        transaction.sender,
        transaction.nonce,
        transaction.max_priority_fee_per_gas,
        transaction.max_fee_per_gas,
        transaction.gas_limit,
        transaction.to,
        transaction.value,
        transaction.data,
        transaction.access_list,
        transaction.authorizations,
        transaction.blob_hashes,
        transaction.max_fee_per_blob_gas,
        transaction.raw,
    )


def pack_outcome(outcome: ExecutedOutcome | Rejected) -> tuple[Any, ...]:
    """An answer of ``apply``."""
    if isinstance(outcome, Rejected):
        return outcome.reason.value, outcome.detail
    return (
        outcome.succeeded,
        outcome.gas_used,
        outcome.cumulative_gas_used,
        outcome.contract_address,
        [(log.address, log.topics, log.data) for log in outcome.logs],
        outcome.logs_bloom,
        outcome.receipt,
        outcome.outcome_hash,
    )


def unpack_outcome(packed: tuple[Any, ...]) -> ExecutedOutcome | Rejected:
    """The answer that ``pack_outcome`` packed."""
    if len(packed) == 2:
        return Rejected(Reason(packed[0]), packed[1])
    succeeded, gas_used, cumulative, contract_address, logs, logs_bloom, receipt, outcome_hash = packed
    events = tuple(Log(*log) for log in logs)
    return ExecutedOutcome(succeeded, gas_used, cumulative, contract_address, events, logs_bloom, receipt, outcome_hash)


def portable(request: CallRequest) -> CallRequest:
    """The request with plain dictionaries in it, whatever mappings the caller used."""
    return replace(request, overrides=_portable(request.overrides)) if request.overrides else request


def portable_simulation(simulation: Simulation) -> Simulation:
    """The same for all blocks of a simulation."""
    return replace(
        simulation, blocks=tuple(replace(block, accounts=_portable(block.accounts)) for block in simulation.blocks)
    )


def _portable(overrides: Mapping[Address, AccountOverride]) -> dict[Address, AccountOverride]:
    return {
        address: replace(
            override,
            state=None if override.state is None else dict(override.state),
            state_diff=dict(override.state_diff),
        )
        for address, override in overrides.items()
    }
