"""``eth_subscribe`` and ``eth_unsubscribe``: only over a connection that can carry notifications."""

from typing import Final, Protocol

from sequencer.core.errors import Malformed
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import invalid_params
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, optional
from sequencer.rpc.subscription_kinds import Wanted, parse_subscription, start_of

RESUME_LIMIT_BLOCKS: Final = 100_000
"""How far back a stream may begin."""


class Session(Protocol):
    """The connection that a request came over, as far as subscriptions need it."""

    def subscribe(self, wanted: Wanted) -> str:
        """Start to notify; returns the subscription's id. Raises ``RpcError`` when there are too many."""
        ...

    def unsubscribe(self, subscription_id: str) -> bool:
        """Stop; raises ``RpcError`` for an id that is not this connection's."""
        ...


def subscribe(chain: ServedChain, session: Session, kind: str, options: object) -> str:
    """The id that notifications will carry."""
    wanted = parse_subscription(kind, options)
    start = start_of(wanted)
    if start is not None and start.block_number < chain.backend.heads.unsafe.number - RESUME_LIMIT_BLOCKS:
        raise invalid_params(f"invalid argument 1: from lies more than {RESUME_LIMIT_BLOCKS} blocks back")
    return session.subscribe(wanted)


def unsubscribe(_: ServedChain, session: Session, subscription_id: str) -> bool:
    """True once it has ended."""
    return session.unsubscribe(subscription_id)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("expected a string")
    return value


def _anything(value: object) -> object:
    return value


METHODS = (
    Method("eth_subscribe", subscribe, (Parameter("kind", _text), optional("options", _anything)), Kind.SESSION),
    Method("eth_unsubscribe", unsubscribe, (Parameter("subscriptionId", _text),), Kind.SESSION),
)
