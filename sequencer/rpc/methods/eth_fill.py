"""``eth_fillTransaction``: everything that a wallet has to know before it signs, in one answer.

What the caller set is kept; nonce, gas, fees, type and chain id are filled in as they would be asked for one by
one, against pre-confirmed state. Wallets sign what comes back without looking again.
"""

from dataclasses import replace

from sequencer.core.calls import CallRequest
from sequencer.core.encoding import data, quantity
from sequencer.core.errors import TEXT, Reason
from sequencer.core.unsigned import encode_unsigned
from sequencer.rpc.block_id import Tag
from sequencer.rpc.call_object import CallObject, call_object
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError, invalid_params
from sequencer.rpc.methods.eth_call import required_gas
from sequencer.rpc.methods.eth_fee import suggested_tip
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.transaction import access_list, authorization

_BASE_FEE_MARGIN = 2
"""A fee cap of twice the base fee stays valid over six full blocks."""


async def fill_transaction(chain: ServedChain, wanted: CallObject) -> Json:
    """``{raw, tx}``: the transaction ready for signing, and its encoding with an empty signature."""
    request = wanted.checked(chain.backend.spec.chain_id)
    kind = _type(wanted.type, request)
    if request.to is None and not request.data:
        raise RpcError(Errors.SERVER, "contract creation without any data provided")
    request = _with_fees(chain, request, kind)
    if request.nonce is None:
        (account,) = await chain.backend.accounts([request.sender], "pending")
        request = replace(request, nonce=chain.backend.next_nonce(request.sender, account.nonce))
    if request.gas_limit is None:
        # Estimated without fees, as wallets ask: whether the sender can pay is told when it sends.
        unpriced = replace(request, gas_price=None, max_fee_per_gas=None, max_priority_fee_per_gas=None, nonce=None)
        request = replace(request, gas_limit=await required_gas(chain, unpriced, Tag.PENDING))
    chain_id = chain.backend.spec.chain_id
    return {"raw": data(encode_unsigned(kind, chain_id, request)), "tx": _rendered(kind, chain_id, request)}


def _type(named: int | None, request: CallRequest) -> int:
    """The transaction type that was named, or the one that the given fields ask for."""
    dynamic = request.max_fee_per_gas is not None or request.max_priority_fee_per_gas is not None
    if request.authorizations:
        implied = 4
    elif request.gas_price is None:
        implied = 2
    else:
        implied = 1 if request.access_list else 0
    kind = implied if named is None else named
    contradicted = (
        (kind in (0, 1) and (dynamic or request.authorizations))
        or (kind == 0 and request.access_list)
        or (kind in (2, 4) and request.gas_price is not None)
        or (kind == 4) != bool(request.authorizations)
    )
    if kind not in (0, 1, 2, 4):
        raise RpcError(Errors.SERVER, TEXT[Reason.TYPE_NOT_SUPPORTED])
    if contradicted:
        raise invalid_params(f"transaction type {kind} does not go with the other fields")
    if kind == 4 and request.to is None:
        raise RpcError(Errors.SERVER, TEXT[Reason.SET_CODE_CREATION])
    return kind


def _with_fees(chain: ServedChain, request: CallRequest, kind: int) -> CallRequest:
    base_fee, tip = chain.backend.next_base_fee(), suggested_tip(chain)
    if kind in (0, 1):
        return request if request.gas_price is not None else replace(request, gas_price=base_fee + tip)
    cap = request.max_fee_per_gas
    tip = request.max_priority_fee_per_gas if request.max_priority_fee_per_gas is not None else tip
    if cap == 0:
        raise RpcError(Errors.SERVER, "maxFeePerGas must be non-zero")
    if cap is None:
        cap = tip + _BASE_FEE_MARGIN * base_fee
    elif request.max_priority_fee_per_gas is None:
        tip = min(tip, cap)
    return replace(request, max_fee_per_gas=cap, max_priority_fee_per_gas=tip)


def _rendered(kind: int, chain_id: int, request: CallRequest) -> Json:
    fields: Json = {
        "type": quantity(kind),
        "chainId": quantity(chain_id),
        "nonce": quantity(request.nonce or 0),
        "to": None if request.to is None else data(request.to),
        "gas": quantity(request.gas_limit or 0),
        "value": quantity(request.value),
        "input": data(request.data),
    }
    if kind in (0, 1):
        fields["gasPrice"] = quantity(request.gas_price or 0)
    else:
        # As in any transaction that has no place yet: what it may come to at most.
        fields["gasPrice"] = quantity(request.max_fee_per_gas or 0)
        fields["maxPriorityFeePerGas"] = quantity(request.max_priority_fee_per_gas or 0)
        fields["maxFeePerGas"] = quantity(request.max_fee_per_gas or 0)
    if kind:
        fields["accessList"] = access_list(request.access_list)
    if kind == 4:
        fields["authorizationList"] = [authorization(item) for item in request.authorizations]
    return fields


METHODS = (Method("eth_fillTransaction", fill_transaction, (Parameter("transaction", call_object),), Kind.CALL),)
