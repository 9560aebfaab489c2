"""Why a call reverted, in words: the standard errors that Solidity encodes. Pure.

::

    Error(string)   08c379a0 || offset(32) = 0x20 || length(32) || text, padded
    Panic(uint256)  4e487b71 || code(32)
"""

from typing import Final

_ERROR: Final = bytes.fromhex("08c379a0")
_PANIC: Final = bytes.fromhex("4e487b71")
_PANICS: Final = {
    0x00: "generic panic",
    0x01: "assert(false)",
    0x11: "arithmetic underflow or overflow",
    0x12: "division or modulo by zero",
    0x21: "enum overflow",
    0x22: "invalid encoded storage byte array accessed",
    0x31: "out-of-bounds array access; popping on an empty array",
    0x32: "out-of-bounds access of an array or bytesN",
    0x41: "out of memory",
    0x51: "uninitialized function",
}
"""The panic codes of the Solidity documentation, in geth's words."""


def revert_reason(output: bytes) -> str:
    """The reason in the revert data, empty when it carries none that is standard."""
    selector, body = output[:4], output[4:]
    if selector == _ERROR and len(body) >= 64:
        offset = int.from_bytes(body[:32], "big")
        if offset > len(body) - 32:
            return ""
        length = int.from_bytes(body[offset : offset + 32], "big")
        text = body[offset + 32 : offset + 32 + length]
        return text.decode("utf-8", "replace") if len(text) == length else ""
    if selector == _PANIC and len(body) == 32:
        code = int.from_bytes(body, "big")
        return _PANICS.get(code, f"unknown panic code: {code:#x}")
    return ""
