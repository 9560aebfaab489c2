"""What commands print, and the exit code that each error means.

Standard output is the result; everything else goes to standard error. Numbers of 2^53 and above are written
as decimal strings in JSON, because most JSON readers would round them.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, Final

from sequencer.core.errors import ConfigError, Malformed, SequencerError, Temporary, Unknown
from sequencer.core.keccak import keccak256

_JSON_INTEGER_LIMIT: Final = 2**53


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    """Done, or what was checked holds."""
    FAILED = 1
    """What was checked does not hold, or the node could not go on."""
    USAGE = 2
    """Usage or configuration is wrong."""
    TEMPORARY = 3
    """Something could not be reached or is busy; the same command may work later."""


def result(text: str) -> None:
    """Print a result."""
    print(text, flush=True)


def result_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    result(json.dumps(_exact(document), separators=(",", ":")))


def complain(text: str) -> None:
    """Tell the person at the terminal, on standard error."""
    print(text, file=sys.stderr, flush=True)


def exit_code(error: SequencerError) -> Exit:
    """What the process should exit with because of ``error``."""
    if isinstance(error, ConfigError | Malformed):
        return Exit.USAGE
    return Exit.TEMPORARY if isinstance(error, Temporary | Unknown) else Exit.FAILED


def checksummed(address: bytes) -> str:
    """An address with the letter case that wallets check (EIP-55)."""
    digits = address.hex()
    case = keccak256(digits.encode()).hex()
    return "0x" + "".join(d.upper() if int(c, 16) >= 8 else d for d, c in zip(digits, case, strict=False))


def causes(error: BaseException) -> Iterator[BaseException]:
    """The leaves of an exception group, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    else:
        yield error


def _exact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _JSON_INTEGER_LIMIT:
        return str(value)
    return value
