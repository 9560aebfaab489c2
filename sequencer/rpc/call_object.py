"""The transaction object of ``eth_call`` and ``eth_estimateGas``, and the state overrides beside it.

Clients fill it differently: ``input`` and ``data`` alike, ``to: null`` for creation, ``chainId`` and ``type``
for no reason. Unknown members are ignored, as geth does.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from sequencer.core import encoding
from sequencer.core.calls import AccountOverride, BlockOverride, CallRequest
from sequencer.core.errors import TEXT, Malformed, Reason
from sequencer.core.transaction import AccessListEntry, Authorization
from sequencer.core.types import UINT64_MAX, UINT256_MAX, ZERO_ADDRESS, Address, Hash32
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.params import members, quantity, storage_slot

_T = TypeVar("_T")

OVERRIDDEN_ACCOUNTS_LIMIT = 1_000
OVERRIDDEN_SLOTS_LIMIT = 10_000


class CallObject:
    """A parsed transaction object: the request to execute, and the chain id that it was meant for, if any."""

    __slots__ = ("chain_id", "request", "type")

    def __init__(self, request: CallRequest, chain_id: int | None, transaction_type: int | None) -> None:
        self.request = request
        self.chain_id = chain_id
        self.type = transaction_type

    def checked(self, chain_id: int) -> CallRequest:
        """The request, if its fees make sense and it is meant for this chain. Raises ``RpcError``."""
        request = self.request
        if self.chain_id is not None and self.chain_id != chain_id:
            raise RpcError(Errors.SERVER, f"chainId does not match node's (have={self.chain_id}, want={chain_id})")
        dynamic = request.max_fee_per_gas is not None or request.max_priority_fee_per_gas is not None
        if request.gas_price is not None and dynamic:
            raise RpcError(Errors.SERVER, "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
        tip, cap = request.max_priority_fee_per_gas, request.max_fee_per_gas
        if tip is not None and cap is not None and tip > cap:
            raise RpcError(
                Errors.SERVER,
                f"{TEXT[Reason.TIP_ABOVE_FEE_CAP]}: maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}",
            )
        return request


def call_object(value: object) -> CallObject:
    """The parsed object. Raises ``Malformed`` naming the member that is wrong."""
    fields = members(value)

    def member(name: str, parse: Callable[[object], _T], default: _T) -> _T:
        return _member(name, fields[name], parse) if name in fields else default

    request = CallRequest(
        sender=member("from", encoding.parse_address, ZERO_ADDRESS),
        to=member("to", _optional_address, None),
        data=_call_data(fields),
        value=member("value", encoding.parse_quantity, 0),
        gas_limit=member("gas", _optional_quantity, None),
        gas_price=member("gasPrice", _optional_wei, None),
        max_fee_per_gas=member("maxFeePerGas", _optional_wei, None),
        max_priority_fee_per_gas=member("maxPriorityFeePerGas", _optional_wei, None),
        nonce=member("nonce", _optional_quantity, None),
        access_list=member("accessList", access_list, ()),
        authorizations=member("authorizationList", authorization_list, ()),
    )
    # A price for blobs alone asks for nothing.
    for name in ("blobVersionedHashes", "blobs"):
        if fields.get(name):
            raise Malformed(f"{name}: blob transactions are not supported")
    return CallObject(request, member("chainId", _optional_wei, None), member("type", _optional_quantity, None))


def with_overrides(
    request: CallRequest, overrides: dict[Address, AccountOverride] | None, block: BlockOverride | None = None
) -> CallRequest:
    """The request as it runs over the overridden accounts, in the overridden block."""
    return replace(request, overrides=overrides or {}, block=block) if overrides or block else request


def state_overrides(value: object) -> dict[Address, AccountOverride]:
    """``{address: {balance?, nonce?, code?, state?, stateDiff?, movePrecompileToAddress?}}``."""
    accounts = members(value)
    if len(accounts) > OVERRIDDEN_ACCOUNTS_LIMIT:
        raise Malformed(f"more than {OVERRIDDEN_ACCOUNTS_LIMIT} overridden accounts")
    return {encoding.parse_address(address): _account_override(item) for address, item in accounts.items()}


def block_override(value: object) -> BlockOverride:
    """``{number?, time?, gasLimit?, feeRecipient?, prevRandao?, baseFeePerGas?, blobBaseFee?, beaconRoot?}``.

    ``difficulty`` has no meaning any more and is ignored; ``withdrawals`` may only be empty.
    """
    fields = members(value)

    def member(name: str, parse: Callable[[object], _T]) -> _T | None:
        return _member(name, fields[name], parse) if name in fields else None

    if fields.get("withdrawals"):
        raise Malformed("withdrawals: a rollup block carries none")
    return BlockOverride(
        number=member("number", quantity),
        timestamp=member("time", quantity),
        gas_limit=member("gasLimit", quantity),
        coinbase=member("feeRecipient", encoding.parse_address),
        prev_randao=member("prevRandao", storage_slot),
        base_fee_per_gas=member("baseFeePerGas", quantity),
        blob_base_fee=member("blobBaseFee", quantity),
        parent_beacon_block_root=member("beaconRoot", encoding.parse_hash),
    )


def call_block_override(value: object) -> BlockOverride:
    """As ``block_override``, without what only means something to whole blocks. Raises ``RpcError`` for those."""
    for name in ("beaconRoot", "withdrawals"):
        if name in members(value):
            raise RpcError(Errors.SERVER, f'block override "{name}" is not supported for this RPC method')
    return block_override(value)


def access_list(value: object) -> tuple[AccessListEntry, ...]:
    """An EIP-2930 access list."""
    entries = []
    for item in _array(value):
        fields = members(item)
        keys = _array(fields.get("storageKeys", []))
        address = encoding.parse_address(fields.get("address"))
        entries.append(AccessListEntry(address, tuple(encoding.parse_hash(key) for key in keys)))
    return tuple(entries)


def authorization_list(value: object) -> tuple[Authorization, ...]:
    """An EIP-7702 authorization list."""
    return tuple(_authorization(members(item)) for item in _array(value))


def _authorization(fields: dict[str, object]) -> Authorization:
    parity = fields.get("yParity", fields.get("v"))
    return Authorization(
        chain_id=_member("chainId", fields.get("chainId"), encoding.parse_quantity),
        address=_member("address", fields.get("address"), encoding.parse_address),
        nonce=_member("nonce", fields.get("nonce"), quantity),
        y_parity=_member("yParity", parity, lambda item: encoding.parse_quantity(item, 255)),
        r=_member("r", fields.get("r"), _padded_quantity),
        s=_member("s", fields.get("s"), _padded_quantity),
    )


def _account_override(value: object) -> AccountOverride:
    fields = members(value)
    moved = fields.get("movePrecompileToAddress")
    if "state" in fields and "stateDiff" in fields:
        raise Malformed("account has both 'state' and 'stateDiff'")
    return AccountOverride(
        balance_wei=_member("balance", fields["balance"], encoding.parse_quantity) if "balance" in fields else None,
        nonce=_member("nonce", fields["nonce"], quantity) if "nonce" in fields else None,
        code=_member("code", fields["code"], encoding.parse_data) if "code" in fields else None,
        state=_member("state", fields["state"], _slots) if "state" in fields else None,
        state_diff=_member("stateDiff", fields.get("stateDiff", {}), _slots),
        moved_to=_member("movePrecompileToAddress", moved, encoding.parse_address) if moved is not None else None,
    )


def _slots(value: object) -> dict[Hash32, Hash32]:
    slots = members(value)
    if len(slots) > OVERRIDDEN_SLOTS_LIMIT:
        raise Malformed(f"more than {OVERRIDDEN_SLOTS_LIMIT} overridden slots")
    return {encoding.parse_hash(slot): encoding.parse_hash(item) for slot, item in slots.items()}


def _call_data(fields: dict[str, object]) -> bytes:
    texts = [fields[name] for name in ("input", "data") if name in fields]
    parsed = [_member("input", text, encoding.parse_data) for text in texts]
    if len(parsed) == 2 and parsed[0] != parsed[1]:
        raise Malformed(
            'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data'
        )
    return parsed[0] if parsed else b""


def _member(name: str, value: object, parse: Callable[[object], _T]) -> _T:
    try:
        return parse(value)
    except Malformed as error:
        raise Malformed(f"{name}: {error}") from None


def _optional_address(value: object) -> Address | None:
    return None if value == "0x" else encoding.parse_address(value)


def _optional_quantity(value: object) -> int | None:
    return encoding.parse_quantity(value, UINT64_MAX)


def _optional_wei(value: object) -> int | None:
    return encoding.parse_quantity(value, UINT256_MAX)


def _padded_quantity(value: object) -> int:
    """A signature word: some signers keep its leading zeros, which a quantity may not have."""
    if isinstance(value, str) and len(value) == 66:
        return int.from_bytes(encoding.parse_hash(value), "big")
    return encoding.parse_quantity(value)


def _array(value: object) -> list[object]:
    if not isinstance(value, list):
        raise Malformed("expected an array")
    return value
