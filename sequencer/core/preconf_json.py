"""Pre-confirmations out of JSON: the strict inverse of what the node's RPC writes (protocol, section 1).

::

    {domain{name, version, chainId, verifyingContract, salt}, chainId, txHash, position, outcomeHash,
     flashblock{13 members}, orderBranch[], outcomeBranch[], signer, signature}

Whoever verifies a promise reads bytes from a stranger, so nothing is guessed: every member is there exactly in
the form in which it is written (integers as minimal hex quantities within their bits, bytes in full), and none
is there that the format does not name. What does not parse is ``Malformed``, with the member's path; the
JavaScript verifier in ``clients/js`` refuses the same inputs with the same words.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from sequencer.core import eip712
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Malformed
from sequencer.core.flashblock import Flashblock, Preconfirmation, SignedFlashblock
from sequencer.core.types import Address, Hash32, Signature

TEXT_LIMIT: Final = 1024 * 1024
"""Characters or bytes. A bare pre-confirmation has less than 8,000; a receipt around it may have long logs."""
BRANCH_LIMIT: Final = 32
"""A flashblock has fewer than 2^32 transactions, so no branch is longer."""

_QUANTITY: Final = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DATA: Final = re.compile(r"0x((?:[0-9a-fA-F]{2})*)")
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,40}")
_MEMBERS: Final = (
    "domain",
    "chainId",
    "txHash",
    "position",
    "outcomeHash",
    "flashblock",
    "orderBranch",
    "outcomeBranch",
    "signer",
    "signature",
)
_DOMAIN_MEMBERS: Final = ("name", "version", "chainId", "verifyingContract", "salt")
_FLASHBLOCK_MEMBERS: Final = {
    # the JSON name, and bits of an integer or 0 for a hash, in the order of ``Flashblock``
    "epoch": 64,
    "term": 64,
    "reset": 32,
    "blockNumber": 64,
    "index": 32,
    "firstPosition": 32,
    "transactionCount": 32,
    "parent": 0,
    "orderRoot": 0,
    "outcomesRoot": 0,
    "orderingPolicy": 0,
    "timestampMs": 64,
    "postBy": 64,
}


def parse(text: str | bytes) -> Preconfirmation:
    """The pre-confirmation in a JSON text: on its own, in a receipt of ``eth_sendRawTransactionSync``, or in the
    JSON-RPC answer around either. Raises ``Malformed`` naming the member that is wrong, and nothing else."""
    return from_json(unwrap(read_document(text)))


def read_document(text: str | bytes) -> object:
    """The JSON value of a text of bounded size and depth. Raises ``Malformed``."""
    if len(text) > TEXT_LIMIT:
        raise Malformed(f"longer than {TEXT_LIMIT} characters")
    try:
        return orjson.loads(text)
    except ValueError:
        raise Malformed("not JSON") from None


def unwrap(document: object) -> object:
    """What users have at hand around a result: a JSON-RPC answer, a receipt with its promise. Goes inwards."""
    if isinstance(document, dict) and "jsonrpc" in document and "result" in document:
        document = document["result"]
    if isinstance(document, dict) and "preconfirmation" in document:
        document = document["preconfirmation"]
    return document


def from_json(document: object) -> Preconfirmation:
    """The pre-confirmation in a parsed JSON object. Raises ``Malformed`` naming the member that is wrong."""
    members = _object(document, _MEMBERS, "")
    domain = parse_domain(members["domain"], "domain")
    if parse_quantity(members["chainId"], 256, "chainId") != domain.chain_id:
        raise Malformed("chainId: differs from domain.chainId")
    return Preconfirmation(
        domain=domain,
        transaction_hash=_hash(members["txHash"], "txHash"),
        position=parse_quantity(members["position"], 32, "position"),
        outcome_hash=_hash(members["outcomeHash"], "outcomeHash"),
        signed=SignedFlashblock(
            flashblock=_flashblock(members["flashblock"]),
            signer=parse_address(members["signer"], "signer"),
            signature=Signature(_data(members["signature"], 65, "signature")),
        ),
        order_branch=_branch(members["orderBranch"], "orderBranch"),
        outcome_branch=_branch(members["outcomeBranch"], "outcomeBranch"),
    )


def parse_domain(document: object, path: str) -> Domain:
    """The EIP-712 domain of a chain, as ``sequencer_rollupConfig`` gives it too."""
    members = _object(document, _DOMAIN_MEMBERS, f"{path}.")
    for name, constant in (("name", eip712.NAME), ("version", eip712.VERSION)):
        if members[name] != constant:
            raise Malformed(f'{path}.{name}: not "{constant}"')
    return Domain(
        parse_quantity(members["chainId"], 256, f"{path}.chainId"),
        parse_address(members["verifyingContract"], f"{path}.verifyingContract"),
        _hash(members["salt"], f"{path}.salt"),
    )


def parse_quantity(value: object, bits: int, path: str) -> int:
    """A minimal hex quantity of at most ``bits`` bits."""
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    number = int(match[1], 16) if match else -1
    if not 0 <= number < 1 << bits:
        raise Malformed(f"{path}: not a hex quantity of at most {bits} bits")
    return number


def parse_address(value: object, path: str) -> Address:
    """20 bytes of hex in any letter case."""
    return Address(_data(value, 20, path))


def _flashblock(document: object) -> Flashblock:
    members = _object(document, tuple(_FLASHBLOCK_MEMBERS), "flashblock.")
    values: list[Any] = [
        parse_quantity(members[name], bits, f"flashblock.{name}")
        if bits
        else _hash(members[name], f"flashblock.{name}")
        for name, bits in _FLASHBLOCK_MEMBERS.items()
    ]
    return Flashblock(*values)


def _branch(value: object, path: str) -> tuple[Hash32, ...]:
    if not isinstance(value, list) or len(value) > BRANCH_LIMIT:
        raise Malformed(f"{path}: not a list of at most {BRANCH_LIMIT} hashes")
    return tuple(_hash(sibling, f"{path}[{at}]") for at, sibling in enumerate(value))


def _hash(value: object, path: str) -> Hash32:
    return Hash32(_data(value, 32, path))


def _data(value: object, size: int, path: str) -> bytes:
    match = _DATA.fullmatch(value) if isinstance(value, str) else None
    if match is None or len(match[1]) != 2 * size:
        raise Malformed(f"{path}: not {size} bytes of hex")
    return bytes.fromhex(match[1])


def _object(document: object, names: tuple[str, ...], prefix: str) -> Mapping[str, object]:
    """``document`` if it is an object with exactly these members."""
    if not isinstance(document, dict):
        raise Malformed(f"{prefix[:-1] or 'pre-confirmation'}: not an object")
    for name in names:
        if name not in document:
            raise Malformed(f"{prefix}{name}: missing")
    for name in sorted(document):
        if name not in names:
            # The name is a stranger's text, and errors are printed on terminals.
            raise Malformed(f"{prefix}{name if _NAME.fullmatch(name) else '?'}: unknown member")
    return document
