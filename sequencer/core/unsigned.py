"""Transactions that nobody signed: zeros stand where the signature would."""

from sequencer.core import rlp
from sequencer.core.calls import CallRequest
from sequencer.core.keccak import keccak256
from sequencer.core.transaction import Authorization, RecoveredTransaction
from sequencer.core.types import ZERO_HASH


def unsigned(kind: int, chain_id: int, request: CallRequest) -> RecoveredTransaction:
    """The transaction of type ``kind`` that ``request`` asks for; what it leaves out is zero."""
    legacy_fee = kind in (0, 1)
    tip = request.gas_price if legacy_fee else request.max_priority_fee_per_gas
    cap = request.gas_price if legacy_fee else request.max_fee_per_gas
    raw = encode_unsigned(kind, chain_id, request)
    return RecoveredTransaction(
        raw=raw,
        hash=keccak256(raw),
        signing_hash=ZERO_HASH,
        sender=request.sender,
        type=kind,
        chain_id=chain_id if kind else None,
        nonce=request.nonce or 0,
        max_priority_fee_per_gas=tip or 0,
        max_fee_per_gas=cap or 0,
        gas_limit=request.gas_limit or 0,
        to=request.to,
        value=request.value,
        data=request.data,
        access_list=request.access_list if kind else (),
        authorizations=request.authorizations if kind == 4 else (),
        y_parity=0,
        r=0,
        s=0,
    )


def encode_unsigned(kind: int, chain_id: int, request: CallRequest) -> bytes:
    """The encoding with zeros for a signature."""
    to = request.to or b""
    body: list[rlp.Item] = [rlp.uint(request.gas_limit or 0), to, rlp.uint(request.value), request.data]
    nonce, no_signature = rlp.uint(request.nonce or 0), [b"", b"", b""]
    if kind == 0:
        return rlp.encode([nonce, rlp.uint(request.gas_price or 0), *body, *no_signature])
    if kind == 1:
        fees = [rlp.uint(request.gas_price or 0)]
    else:
        fees = [rlp.uint(request.max_priority_fee_per_gas or 0), rlp.uint(request.max_fee_per_gas or 0)]
    listed: list[rlp.Item] = [[entry.address, list(entry.storage_keys)] for entry in request.access_list]
    fields: list[rlp.Item] = [rlp.uint(chain_id), nonce, *fees, *body, listed]
    if kind == 4:
        fields.append([_authorization(item) for item in request.authorizations])
    return bytes((kind,)) + rlp.encode([*fields, *no_signature])


def _authorization(item: Authorization) -> list[rlp.Item]:
    numbers = (item.nonce, item.y_parity, item.r, item.s)
    return [rlp.uint(item.chain_id), item.address, *map(rlp.uint, numbers)]
