"""Exceptional halts in geth's words (core/vm/errors.go), which wallets and tools show and match on."""

from typing import Final

from eth.exceptions import (
    ContractCreationCollision,
    InsufficientFunds,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfBoundsRead,
    OutOfGas,
    ReservedBytesInCode,
    StackDepthLimit,
    VMError,
    WriteProtection,
)

from execution.evm.reference.computation import (
    CodeStoreOutOfGas,
    MaxCodeSizeExceeded,
    MaxInitCodeSizeExceeded,
    NonceOverflow,
    StackOverflow,
    StackUnderflow,
)

OUT_OF_GAS: Final = "out of gas"

_TEXT: Final[dict[type[VMError], str]] = {
    OutOfGas: OUT_OF_GAS,
    CodeStoreOutOfGas: "contract creation code storage out of gas",
    MaxCodeSizeExceeded: "max code size exceeded",
    MaxInitCodeSizeExceeded: "max initcode size exceeded",
    StackDepthLimit: "max call depth exceeded",
    InsufficientFunds: "insufficient balance for transfer",
    ContractCreationCollision: "contract address collision",
    InvalidJumpDestination: "invalid jump destination",
    WriteProtection: "write protection",
    OutOfBoundsRead: "return data out of bounds",
    ReservedBytesInCode: "invalid code: must not begin with 0xef",
    NonceOverflow: "nonce uint64 overflow",
}

_INVALID: Final = 0xFE
"""The one opcode that is there to be invalid (EIP-141)."""

_POPS: Final = (
    dict.fromkeys(range(1, 8), 2)
    | {0x08: 3, 0x09: 3, 0x0A: 2, 0x0B: 2}
    | dict.fromkeys(range(16, 21), 2)
    | {0x15: 1, 0x16: 2, 0x17: 2, 0x18: 2, 0x19: 1, 0x1A: 2, 0x1B: 2, 0x1C: 2, 0x1D: 2, 0x20: 2}
    | {0x31: 1, 0x35: 1, 0x37: 3, 0x39: 3, 0x3B: 1, 0x3C: 4, 0x3E: 3, 0x3F: 1, 0x40: 1, 0x49: 1}
    | {0x50: 1, 0x51: 1, 0x52: 2, 0x53: 2, 0x54: 1, 0x55: 2, 0x56: 1, 0x57: 2, 0x5C: 1, 0x5D: 2, 0x5E: 3}
    | {0x80 + depth: depth + 1 for depth in range(16)}
    | {0x90 + depth: depth + 2 for depth in range(16)}
    | {0xA0 + topics: topics + 2 for topics in range(5)}
    | {0xF0: 3, 0xF1: 7, 0xF2: 7, 0xF3: 2, 0xF4: 6, 0xF5: 4, 0xFA: 6, 0xFD: 2, 0xFF: 1}
)
"""How many stack items each instruction needs (Yellow Paper, appendix H)."""


def describe(error: VMError, code: bytes, program_counter: int) -> str:
    """What stopped the code, given the position after the instruction that failed."""
    if isinstance(error, StackUnderflow):
        return f"stack underflow ({error.size} <=> {_POPS[error.opcode]})"
    if isinstance(error, StackOverflow):
        return "stack limit reached 1024 (1023)"
    if isinstance(error, InvalidInstruction):
        opcode = code[program_counter - 1]
        return "invalid opcode: " + ("INVALID" if opcode == _INVALID else f"opcode {opcode:#x} not defined")
    return _TEXT.get(type(error)) or str(error) or "execution failed"
