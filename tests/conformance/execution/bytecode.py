"""Small contracts for engine tests, assembled by hand; each text is what the code does."""

STORE = bytes.fromhex("6020355f355500")
"""storage[calldata word 0] = calldata word 1"""
LOAD = bytes.fromhex("5f35545f5260205ff3")
"""return storage[calldata word 0]"""
LOG = bytes.fromhex("6020355f525f3560205fa100")
"""log1(topic = calldata word 0, data = calldata word 1)"""
LOG_AND_REVERT = bytes.fromhex("5f5fa0602a5f5260205ffd")
"""log0(), then revert with the word 42"""
BLOCK_HASH = bytes.fromhex("5f35405f5260205ff3")
"""return blockhash(calldata word 0)"""
ENVIRONMENT = bytes.fromhex("415f52426020524360405244606052456080524660a0524860c0523a60e0526101005ff3")
"""return coinbase, timestamp, number, prevrandao, gas limit, chain id, base fee and gas price, one word each"""
CALLER = bytes.fromhex("335f523060205260405ff3")
"""return caller and own address, one word each"""
FORWARD = bytes.fromhex("6020355f526040356020525f5f60405f5f5f355af1601b575f5ffd5b00")
"""call address word 0 with words 1 and 2 and all gas but a 64th; revert if that fails"""
STATIC_FORWARD = bytes.fromhex("6020355f526040356020525f5f60405f5f355afa5f5260205ff3")
"""as FORWARD by static call; return whether it succeeded"""
DESTRUCT = bytes.fromhex("33ff")
"""selfdestruct to the caller"""
LOOP = bytes.fromhex("5b5f56")
"""jump back for ever"""
INVALID = bytes.fromhex("fe")
UNDERFLOW = bytes.fromhex("5f01")
"""add with one item on the stack"""
BAD_JUMP = bytes.fromhex("600356")
OVERFLOW = bytes.fromhex("5b5f5f56")
"""push for ever"""


def returning(code: bytes) -> bytes:
    """Init code that deploys ``code``."""
    return bytes.fromhex(f"61{len(code):04x}80600a5f395ff3") + code


def word(value: int | bytes) -> bytes:
    """One 32-byte word."""
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")


def words(*values: int | bytes) -> bytes:
    """Call data of 32-byte words."""
    return b"".join(map(word, values))
