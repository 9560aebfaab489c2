"""What one transaction does to a world: the checks before it, the message it becomes, and who pays what.

The order of the checks and their words are geth's (core/state_transition.go), because the first check that
fails is the answer a wallet shows. A transaction that fails one leaves the world as it was.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple, cast

from eth.abc import ComputationAPI, StateAPI
from eth.exceptions import Revert, VMError
from eth.vm.forks.cancun.transaction_context import CancunTransactionContext
from eth.vm.message import Message

from execution.evm.reference import halts
from execution.evm.reference.computation import MAX_INIT_CODE_SIZE
from execution.evm.reference.rules import Rules
from execution.evm.reference.world import World
from sequencer.core import rlp, secp256k1
from sequencer.core.errors import Malformed, Reason, Rejected
from sequencer.core.keccak import keccak256
from sequencer.core.receipt import Log
from sequencer.core.transaction import AccessListEntry, Authorization
from sequencer.core.types import UINT64_MAX, UINT256_MAX, Address, Hash32

DELEGATION_PREFIX: Final = b"\xef\x01\x00"
GAS_PER_BLOB: Final = 2**17
CALL_STIPEND: Final = 2300
TRANSACTION_GAS: Final = 21_000
_GAS_CREATE: Final = 32_000
_GAS_AUTHORIZATION: Final = 25_000
_REFUND_EXISTING_AUTHORITY: Final = 12_500


class Call(NamedTuple):
    """A transaction as far as execution needs it, or a call that resembles one. A plain tuple on the wire."""

    type: int
    chain_id: int | None
    sender: Address
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas_limit: int
    to: Address | None
    value: int
    data: bytes
    access_list: tuple[AccessListEntry, ...]
    authorizations: tuple[Authorization, ...]
    blob_hashes: tuple[Hash32, ...]
    max_fee_per_blob_gas: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Execution:
    """What it did. ``gas_refunded`` is inside ``gas_used`` already; ``halt`` is in geth's words."""

    gas_used: int
    gas_refunded: int
    max_gas_used: int
    """The most that was in use at once."""
    output: bytes
    reverted: bool
    halt: str
    contract_address: Address | None
    logs: tuple[Log, ...]

    @property
    def succeeded(self) -> bool:
        """Neither reverted nor halted."""
        return not self.reverted and not self.halt


def delegation_target(code: bytes) -> Address | None:
    """Whose code an account with this code runs instead (EIP-7702), if any."""
    return Address(code[3:]) if len(code) == 23 and code.startswith(DELEGATION_PREFIX) else None


class Checks(Enum):
    """What a transaction or a call that resembles one is held to, beside what nothing can do without."""

    ALL = "a transaction's"
    FEES_AND_NONCE = "a call's that is to be valid but for who sends it"
    FEES_IF_ANY = "a call's"


def execute(world: World, rules: Rules, call: Call, gas_available: int, checks: Checks = Checks.ALL) -> Execution:
    """Check and run ``call`` in ``world``, which must be between transactions.

    ``gas_available`` is what is left of the block's gas. Raises ``Rejected``.
    """
    _check_chain(world, call)
    if checks is not Checks.FEES_IF_ANY:
        _check_nonce(world, call)
    if checks is Checks.ALL:
        _check_sender(world, call)
    _check_fees(world, call, checks)
    _check_type(world, rules, call)
    gas_price = min(call.max_priority_fee_per_gas + world.base_fee, call.max_fee_per_gas)
    blob_fee = GAS_PER_BLOB * len(call.blob_hashes) * world.blob_base_fee
    _check_funds(world, call)
    if call.gas_limit > gas_available:
        raise Rejected(Reason.GAS_LIMIT_REACHED)
    intrinsic, floor = _intrinsic_gas(call), _floor_gas(call) if rules.has_floor_gas else 0
    if call.gas_limit < intrinsic:
        raise Rejected(Reason.INTRINSIC_GAS, f"have {call.gas_limit}, want {intrinsic}")
    if call.gas_limit < floor:
        raise Rejected(Reason.FLOOR_DATA_GAS, f"have {call.gas_limit}, want {floor}")
    if call.to is None and len(call.data) > MAX_INIT_CODE_SIZE:
        raise Rejected(Reason.INIT_CODE_TOO_LARGE, f"code size {len(call.data)} limit {MAX_INIT_CODE_SIZE}")

    world.delta_balance(call.sender, -call.gas_limit * gas_price - blob_fee)
    context = CancunTransactionContext(gas_price, cast("Any", call.sender), cast("Any", call.blob_hashes))
    _warm_up(world, call)
    refund = 0
    created = None
    if call.to is None:
        created = contract_address(call.sender, world.get_nonce(call.sender))
        computation = _create(world, rules, call, call.gas_limit - intrinsic, created, context)
    else:
        world.increment_nonce(call.sender)
        refund = sum(_authorize(world, authorization) for authorization in call.authorizations)
        computation = _call(world, rules, call, call.to, call.gas_limit - intrinsic, context)

    used = call.gas_limit - computation.get_gas_remaining()
    refund = min(refund + computation.get_gas_refund(), used // 5)
    most = max(used, floor)
    used = max(used - refund, floor)
    world.delta_balance(call.sender, (call.gas_limit - used) * gas_price)
    world.delta_balance(world.coinbase, used * max(gas_price - world.base_fee, 0))
    logs = world.finish_transaction()
    return _execution(computation, (used, refund, most), created, logs)


def signer_of(authorization: Authorization, chain_id: int) -> Address | None:
    """Whose account is to run another's code; None if the authorization cannot hold on this chain (EIP-7702)."""
    if authorization.chain_id not in (0, chain_id) or authorization.nonce == UINT64_MAX:
        return None
    signed = [rlp.uint(authorization.chain_id), authorization.address, rlp.uint(authorization.nonce)]
    digest = keccak256(b"\x05" + rlp.encode(signed))
    try:
        return secp256k1.recover(digest, authorization.r, authorization.s, authorization.y_parity)
    except Malformed:
        return None


def contract_address(sender: Address, nonce: int) -> Address:
    """Where a transaction of ``sender`` with this nonce creates a contract."""
    return Address(keccak256(rlp.encode([sender, rlp.uint(nonce)]))[12:])


def system_call(world: World, rules: Rules, caller: Address, to: Address, data: bytes) -> None:
    """Run the code at ``to`` outside of any transaction, without fee or nonce, with 30 million gas (EIP-4788)."""
    message = Message(
        gas=30_000_000, to=cast("Any", to), sender=cast("Any", caller), value=0, data=data, code=world.get_code(to)
    )
    world.mark_address_warm(to)
    state, context = cast("StateAPI", world), CancunTransactionContext(0, cast("Any", caller))
    rules.interpreter.apply_message(state, message, context)
    world.finish_transaction()


def _check_chain(world: World, call: Call) -> None:
    """EIP-155; a transaction without a chain id is good for any chain."""
    want = world.execution_context.chain_id
    if call.chain_id not in (None, want):
        raise Rejected(Reason.WRONG_CHAIN, f"have {call.chain_id} want {want}")


def _check_nonce(world: World, call: Call) -> None:
    expected = world.get_nonce(call.sender)
    if call.nonce != expected:
        reason = Reason.NONCE_TOO_HIGH if call.nonce > expected else Reason.NONCE_TOO_LOW
        raise Rejected(reason, f"address {checksum(call.sender)}, tx: {call.nonce} state: {expected}")
    if expected == UINT64_MAX:
        raise Rejected(Reason.NONCE_MAX, f"address {checksum(call.sender)}, nonce: {expected}")


def _check_sender(world: World, call: Call) -> None:
    code = world.get_code(call.sender)
    if code and delegation_target(code) is None:
        raise Rejected(Reason.SENDER_NOT_EOA, f"address {checksum(call.sender)}, len(code): {len(code)}")


def _check_fees(world: World, call: Call, checks: Checks) -> None:
    cap, tip = call.max_fee_per_gas, call.max_priority_fee_per_gas
    if checks is Checks.FEES_IF_ANY and not cap and not tip:
        return
    if cap < tip:
        detail = f"address {checksum(call.sender)}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}"
        raise Rejected(Reason.TIP_ABOVE_FEE_CAP, detail)
    if cap < world.base_fee:
        detail = f"address {checksum(call.sender)}, maxFeePerGas: {cap}, baseFee: {world.base_fee}"
        raise Rejected(Reason.FEE_CAP_BELOW_BASE_FEE, detail)


def _check_type(world: World, rules: Rules, call: Call) -> None:
    if call.type == 3:
        if call.to is None:
            raise Rejected(Reason.TYPE_NOT_SUPPORTED, "blob transaction of type create")
        if not call.blob_hashes:
            raise Rejected(Reason.TYPE_NOT_SUPPORTED, "blob transaction missing blob hashes")
        if any(blob_hash[:1] != b"\x01" for blob_hash in call.blob_hashes):
            raise Rejected(Reason.TYPE_NOT_SUPPORTED, "blob hash has invalid version")
        if call.max_fee_per_blob_gas < world.blob_base_fee:
            raise Rejected(Reason.TYPE_NOT_SUPPORTED, "max fee per blob gas less than block blob gas fee")
    if call.type == 4:
        if not rules.has_set_code:
            raise Rejected(Reason.TYPE_NOT_SUPPORTED)
        if call.to is None:
            raise Rejected(Reason.SET_CODE_CREATION, f"(sender {checksum(call.sender)})")
        if not call.authorizations:
            raise Rejected(Reason.EMPTY_AUTHORIZATIONS, f"(sender {checksum(call.sender)})")


def _check_funds(world: World, call: Call) -> None:
    blob_gas = GAS_PER_BLOB * len(call.blob_hashes)
    want = call.gas_limit * call.max_fee_per_gas + call.value + blob_gas * call.max_fee_per_blob_gas
    have = world.get_balance(call.sender)
    if want > UINT256_MAX:
        detail = f"address {checksum(call.sender)} required balance exceeds 256 bits"
        raise Rejected(Reason.INSUFFICIENT_FUNDS, detail)
    if have < want:
        raise Rejected(Reason.INSUFFICIENT_FUNDS, f"address {checksum(call.sender)} have {have} want {want}")


def _intrinsic_gas(call: Call) -> int:
    """EIP-2028, 2930, 3860, 7702."""
    zeros = call.data.count(0)
    gas = TRANSACTION_GAS + 4 * zeros + 16 * (len(call.data) - zeros)
    if call.to is None:
        gas += _GAS_CREATE + 2 * ((len(call.data) + 31) // 32)
    for entry in call.access_list:
        gas += 2400 + 1900 * len(entry.storage_keys)
    return gas + _GAS_AUTHORIZATION * len(call.authorizations)


def _floor_gas(call: Call) -> int:
    """EIP-7623."""
    zeros = call.data.count(0)
    return TRANSACTION_GAS + 10 * (zeros + 4 * (len(call.data) - zeros))


def _warm_up(world: World, call: Call) -> None:
    """EIP-2929, 2930, 3651."""
    world.mark_address_warm(call.sender)
    world.mark_address_warm(world.coinbase)
    if call.to is not None:
        world.mark_address_warm(call.to)
    for entry in call.access_list:
        world.mark_address_warm(entry.address)
        for key in entry.storage_keys:
            world.mark_storage_warm(entry.address, int.from_bytes(key, "big"))


def _authorize(world: World, authorization: Authorization) -> int:
    """Let an account run another's code if it rightly asked for it; the gas to refund (EIP-7702)."""
    authority = signer_of(authorization, world.execution_context.chain_id)
    if authority is None:
        return 0
    world.mark_address_warm(authority)
    code = world.get_code(authority)
    if code and delegation_target(code) is None:
        return 0
    if world.get_nonce(authority) != authorization.nonce:
        return 0
    refund = _REFUND_EXISTING_AUTHORITY if world.account_exists(authority) else 0
    world.set_code(authority, DELEGATION_PREFIX + authorization.address if any(authorization.address) else b"")
    world.increment_nonce(authority)
    return refund


def _call(
    world: World, rules: Rules, call: Call, to: Address, gas: int, context: CancunTransactionContext
) -> ComputationAPI:
    code = world.get_code(to)
    target = delegation_target(code) if rules.has_set_code else None
    if target is not None:
        world.mark_address_warm(target)
        code = world.get_code(target)
    message = Message(
        gas=gas,
        to=cast("Any", to),
        sender=cast("Any", call.sender),
        value=call.value,
        data=call.data,
        code=code,
        is_delegation=target is not None,
    )
    return rules.interpreter.apply_message(cast("StateAPI", world), message, context)


def _create(
    world: World, rules: Rules, call: Call, gas: int, address: Address, context: CancunTransactionContext
) -> ComputationAPI:
    world.increment_nonce(call.sender)
    world.mark_address_warm(address)
    message = Message(
        gas=gas,
        to=cast("Any", b""),
        sender=cast("Any", call.sender),
        value=call.value,
        data=b"",
        code=call.data,
        create_address=cast("Any", address),
    )
    if world.has_code_or_nonce(address):
        return rules.interpreter.collided(cast("StateAPI", world), message, context)
    return rules.interpreter.apply_create_message(cast("StateAPI", world), message, context)


def _execution(
    computation: ComputationAPI, gas: tuple[int, int, int], contract_address: Address | None, logs: tuple[Log, ...]
) -> Execution:
    error = cast("VMError | None", getattr(computation, "_error"))  # noqa: B009
    if error is None:
        return Execution(*gas, computation.output, False, "", contract_address, logs)
    if isinstance(error, Revert):
        return Execution(*gas, computation.output, True, "", contract_address, logs)
    halt = halts.describe(error, computation.msg.code, computation.code.program_counter)
    return Execution(*gas, b"", False, halt, contract_address, logs)


def checksum(address: Address) -> str:
    """The address in the mixed case of EIP-55, as geth's messages have it."""
    digits = address.hex()
    digest = keccak256(digits.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(digits, digest, strict=False))
