"""py-evm's interpreter with its gaps closed, for each fork that this engine runs.

What differs from py-evm 0.12.1b1, and why:

- a message is the transaction's own by its depth, not by its sender: under EIP-7702 a sender has code too
- gas for init code is part of the intrinsic gas, which the transaction pays before it becomes a message
- jump destinations are found in one pass and remembered; py-evm's search recurses once a byte
- logs, created and destroyed contracts live in the world, which reverts them, and finished calls are let go:
  py-evm keeps every call's memory until the transaction ends
- MODEXP of an empty base is a power of zero, the KZG setup is read once
- SELFDESTRUCT raises no Python warning
- a halt knows what the stack had and what was wanted, so that it can be reported in geth's words
"""

import os
from functools import cache, lru_cache
from typing import Any, Final, cast

os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")  # five times faster than the default; read at import

import ckzg
from eth.abc import ComputationAPI, MessageAPI, StateAPI, TransactionContextAPI
from eth.exceptions import (
    ContractCreationCollision,
    Halt,
    InvalidJumpDestination,
    OutOfGas,
    ReservedBytesInCode,
    VMError,
    WriteProtection,
)
from eth.exceptions import FullStack as PyEvmFullStack
from eth.exceptions import InsufficientStack as PyEvmInsufficientStack
from eth.precompiles.modexp import extract_lengths
from eth.precompiles.point_evaluation import TRUSTED_SETUP_PATH, kzg_to_versioned_hash
from eth.vm.code_stream import CodeStream
from eth.vm.computation import BaseComputation
from eth.vm.forks.berlin.computation import _compute_modexp_gas_fee_eip_2565
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.cancun.constants import BLS_MODULUS, FIELD_ELEMENTS_PER_BLOB, POINT_EVALUATION_PRECOMPILE_GAS
from eth.vm.forks.cancun.logic import selfdestruct_eip6780
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.logic.invalid import InvalidOpcode
from eth.vm.opcode import as_opcode
from eth_typing import Address as EthAddress

from execution.evm.reference.world import World
from sequencer.core.receipt import Log
from sequencer.core.types import Address, Hash32

MAX_CODE_SIZE: Final = 24_576
"""EIP-170."""
MAX_INIT_CODE_SIZE: Final = 2 * MAX_CODE_SIZE
"""EIP-3860."""
_GAS_CODE_DEPOSIT: Final = 200
_GAS_SELFDESTRUCT: Final = 5000
_STOP, _JUMPDEST, _PUSH1, _PUSH32, _SELFDESTRUCT = 0x00, 0x5B, 0x60, 0x7F, 0xFF
_MODEXP: Final = bytes(19) + b"\x05"
_POINT_EVALUATION: Final = bytes(19) + b"\x0a"
MAX_DEPTH: Final = 1024


class StackUnderflow(VMError):
    """An instruction needs more than the stack has."""

    def __init__(self, size: int, opcode: int) -> None:
        self.size = size
        self.opcode = opcode
        super().__init__(size, opcode)


class StackOverflow(VMError):
    """An instruction would push the 1025th item."""


class CodeStoreOutOfGas(OutOfGas):
    """Not enough gas left to store the created code."""


class MaxCodeSizeExceeded(OutOfGas):
    """The created code is larger than EIP-170 allows."""


class MaxInitCodeSizeExceeded(OutOfGas):
    """The init code is larger than EIP-3860 allows."""


class NonceOverflow(VMError):
    """The creating account's nonce cannot grow."""


@lru_cache(maxsize=1024)
def _jump_destinations(code: bytes) -> frozenset[int]:
    """Positions of JUMPDEST instructions, leaving out the operands of PUSH."""
    found, at, size = [], 0, len(code)
    while at < size:
        opcode = code[at]
        if opcode == _JUMPDEST:
            found.append(at)
        at += opcode - _PUSH1 + 2 if _PUSH1 <= opcode <= _PUSH32 else 1
    return frozenset(found)


class _Code(CodeStream):
    def is_valid_opcode(self, position: int) -> bool:
        """True for a jump destination. What py-evm would raise otherwise is not what geth calls it."""
        if position not in _jump_destinations(self._raw_code_bytes):
            raise InvalidJumpDestination
        return True


class Corrections(BaseComputation):
    """See the module's documentation."""

    contracts_created: Any

    def __init__(self, state: StateAPI, message: MessageAPI, transaction_context: TransactionContextAPI) -> None:
        super().__init__(state, message, transaction_context)
        self.code = _Code(message.code)

    @property
    def world(self) -> World:
        """The state, as the type it really has."""
        return cast("World", self.state)

    @classmethod
    def apply_computation(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,  # noqa: ARG003  (py-evm's signature)
    ) -> ComputationAPI:
        with cls(state, message, transaction_context) as computation:
            world = cast("Corrections", computation).world
            # Overrides of a call may have put other precompiles at an address, or none.
            code_address = world.moved_precompiles.get(message.code_address, message.code_address)
            computation.contracts_created = world.created  # type: ignore[assignment]
            if message.is_create:
                world.mark_created(message.storage_address)
            precompile = cls._precompiles.get(cast("Any", code_address))
            if precompile is None:
                cast("Corrections", computation).run()
            elif not message.is_delegation:
                precompile(computation)
        return computation

    def run(self) -> None:
        """Execute the code to its end."""
        code, opcodes, stack = self.code, self.opcodes, self._stack.values  # type: ignore[attr-defined]
        raw = self.msg.code
        size = len(raw)
        while True:
            at = code.program_counter
            opcode = raw[at] if at < size else _STOP
            code.program_counter = at + 1
            depth = len(stack)
            try:
                opcodes[opcode](self)
            except Halt:
                return
            except PyEvmInsufficientStack:
                raise StackUnderflow(depth, opcode) from None
            except PyEvmFullStack:
                raise StackOverflow(depth) from None

    @classmethod
    def apply_create_message(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        cls.check_init_code(message)
        snapshot = state.snapshot()
        state.set_nonce(message.storage_address, 1)
        computation = cls.apply_message(state, message, transaction_context, parent_computation)
        if computation.is_success:
            try:
                cls._store_code(state, computation)
            except VMError as error:
                computation.error = error
        if computation.is_error:
            state.revert(snapshot)
        return computation

    @staticmethod
    def check_init_code(message: MessageAPI) -> None:
        """Raises for init code that is too large, which is a fault of the frame that asked for it."""
        if len(message.code) > MAX_INIT_CODE_SIZE:
            raise MaxInitCodeSizeExceeded

    @classmethod
    def collided(
        cls, state: StateAPI, message: MessageAPI, transaction_context: TransactionContextAPI
    ) -> ComputationAPI:
        """A creation where something stands already: its gas is gone."""
        computation = cls(state, message, transaction_context)
        computation.error = ContractCreationCollision()
        return computation

    @classmethod
    def _store_code(cls, state: StateAPI, computation: ComputationAPI) -> None:
        code = computation.output
        if len(code) > MAX_CODE_SIZE:
            raise MaxCodeSizeExceeded
        if code[:1] == b"\xef":
            raise ReservedBytesInCode
        try:
            computation.consume_gas(_GAS_CODE_DEPOSIT * len(code), reason="code deposit")
        except OutOfGas:
            raise CodeStoreOutOfGas from None
        if code:
            state.set_code(computation.msg.storage_address, code)

    def add_child_computation(self, child_computation: ComputationAPI) -> None:
        child = cast("Corrections", child_computation)
        if child.is_success:
            self.return_data = b"" if child.msg.is_create else child.output
            self.refund_gas(child.get_gas_refund())
        else:
            self.return_data = b"" if child.should_burn_gas else child.output

    def get_gas_refund(self) -> int:
        return 0 if self.is_error else self._gas_meter.gas_refunded

    def add_log_entry(self, account: EthAddress, topics: tuple[int, ...], data: bytes) -> None:
        words = tuple(Hash32(topic.to_bytes(32, "big")) for topic in topics)
        self.world.add_log(Log(Address(account), words, bytes(data)))

    def register_account_for_deletion(self, beneficiary: EthAddress) -> None:  # noqa: ARG002  (py-evm's signature)
        self.world.mark_destroyed(self.msg.storage_address)


def _selfdestruct(computation: ComputationAPI) -> None:
    if computation.msg.is_static:
        raise WriteProtection
    selfdestruct_eip6780(computation)


def _modexp(computation: ComputationAPI) -> None:
    """EIP-198 with the prices of EIP-2565."""
    data = computation.msg.data_as_bytes
    computation.consume_gas(_compute_modexp_gas_fee_eip_2565(data), reason="MODEXP")
    base_size, exponent_size, modulus_size = extract_lengths(data)
    if not modulus_size:
        computation.output = b""
        return

    def operand(start: int, size: int) -> int:
        return int.from_bytes(data[start : start + size].ljust(size, b"\0"), "big")

    modulus = operand(96 + base_size + exponent_size, modulus_size)
    result = 0
    if modulus:
        result = pow(operand(96, base_size), operand(96 + base_size, exponent_size), modulus)
    computation.output = result.to_bytes(modulus_size, "big")


@cache
def _kzg_setup() -> Any:
    return ckzg.load_trusted_setup(TRUSTED_SETUP_PATH, 0)


def _point_evaluation(computation: ComputationAPI) -> None:
    """EIP-4844: whether a blob's polynomial has this value at this point."""
    computation.consume_gas(POINT_EVALUATION_PRECOMPILE_GAS, reason="point evaluation")
    data = computation.msg.data_as_bytes
    if len(data) != 192:
        raise VMError("invalid input length")
    versioned_hash, point, value, commitment, proof = data[:32], data[32:64], data[64:96], data[96:144], data[144:]
    if versioned_hash != kzg_to_versioned_hash(commitment):
        raise VMError("mismatched versioned hash")
    try:
        holds = ckzg.verify_kzg_proof(commitment, point, value, proof, _kzg_setup())
    except RuntimeError:
        holds = False
    if not holds:
        raise VMError("error verifying kzg proof")
    computation.output = FIELD_ELEMENTS_PER_BLOB.to_bytes(32, "big") + BLS_MODULUS.to_bytes(32, "big")


def _complete(opcodes: dict[int, Any]) -> list[Any]:
    """All 256 instructions, the undefined ones too, so that the loop need not ask.

    As bound methods: Python calls those without recursing in C, whose depth it limits (1500 in some releases)
    below what 1024 nested calls would need.
    """
    corrected = opcodes | {_SELFDESTRUCT: as_opcode(_selfdestruct, "SELFDESTRUCT", _GAS_SELFDESTRUCT)}
    return [(corrected.get(opcode) or InvalidOpcode(opcode)).__call__ for opcode in range(256)]


_PRECOMPILES: Final = {_MODEXP: _modexp, _POINT_EVALUATION: _point_evaluation}


class CancunInterpreter(Corrections, CancunComputation):
    """Cancun: EIP-1153, 4788, 4844, 5656, 6780, 7516."""

    opcodes: Any = _complete(CancunComputation.opcodes)
    _precompiles: Any = CancunComputation.get_precompiles() | _PRECOMPILES


class PragueInterpreter(Corrections, PragueComputation):
    """Prague: EIP-2537, 2935, 7623, 7702."""

    opcodes: Any = _complete(PragueComputation.opcodes)
    _precompiles: Any = PragueComputation.get_precompiles() | _PRECOMPILES
