"""Evidence as the contract takes it: the Solidity ABI of ``contracts/src/EvidenceTypes.sol``.

::

    Equivocation         (Domain, SignedFlashblock a, SignedFlashblock b, Flashblock[] links, bytes root)
    ContradictedPromise  (Domain, SignedFlashblock promised, SignedBatchHeader batch, PlaceLeaf[] leaves)
    DoubleBatch          (Domain, SignedBatchHeader a, SignedBatchHeader b)

Only what these need of the ABI is here: tuples, arrays and bytes; a dynamic member stands as an offset in
the head of its tuple and with its content in the tail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sequencer.beacon.structs import BATCH_HEADER, FLASHBLOCK, Struct, values
from sequencer.core.eip712 import Domain, word
from sequencer.core.evidence import (
    ContradictedPromise,
    DoubleBatch,
    Equivocation,
    Evidence,
    Fault,
    Flaw,
    PlaceLeaf,
    SignedHeader,
    SignedPromise,
    fault_of,
)
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32

_DOMAIN: Final = "(uint256,address,bytes32)"
_PROMISE: Final = f"({FLASHBLOCK.solidity},bytes)"
_HEADER: Final = f"({BATCH_HEADER.solidity},bytes)"
_LEAF: Final = "(uint32,uint64,uint32,bytes32,bytes32[])"

_NAME: Final = {Fault.E1: "Equivocation", Fault.E2: "ContradictedPromise", Fault.E3: "DoubleBatch"}
_TUPLE: Final = {
    Fault.E1: f"({_DOMAIN},{_PROMISE},{_PROMISE},{FLASHBLOCK.solidity}[],bytes)",
    Fault.E2: f"({_DOMAIN},{_PROMISE},{_HEADER},{_LEAF}[])",
    Fault.E3: f"({_DOMAIN},{_HEADER},{_HEADER})",
}


_ERROR_ARGUMENTS: Final = {
    Flaw.DIFFERENT_SIGNERS: "address,address",
    Flaw.BROKEN_LINK: "uint256",
    Flaw.BAD_BRANCH: "uint256",
}


@dataclass(frozen=True, slots=True)
class _Dynamic:
    """Content that stands in the tail."""

    content: bytes


_Part: TypeAlias = "bytes | _Dynamic"


def selector(signature: str) -> bytes:
    """The four bytes that call a function or tell an error."""
    return keccak256(signature.encode())[:4]


def error_selector(flaw: Flaw) -> bytes:
    """What the contract's revert begins with because of ``flaw``."""
    return selector(f"{flaw.value}({_ERROR_ARGUMENTS.get(flaw, '')})")


def encode(evidence: Evidence) -> bytes:
    """``abi.encode`` of the struct."""
    return _tuple([_Dynamic(_evidence(evidence))])


def verify_call(evidence: Evidence) -> bytes:
    """Call data that asks the contract for its verdict."""
    fault = fault_of(evidence)
    return selector(f"verify{_NAME[fault]}({_TUPLE[fault]})") + encode(evidence)


def report_call(evidence: Evidence, salt: Hash32) -> bytes:
    """Call data that reports ``evidence``, to which the reporter has committed under ``salt``."""
    fault = fault_of(evidence)
    arguments = _tuple([_Dynamic(_evidence(evidence)), salt])
    return selector(f"report{_NAME[fault]}({_TUPLE[fault]},bytes32)") + arguments


def commit_call(commitment: Hash32) -> bytes:
    """Call data of the step before a report."""
    return selector("commit(bytes32)") + commitment


def commitment(chain_id: int, contract: Address, reporter: Address, evidence_id: Hash32, salt: Hash32) -> Hash32:
    """What ``reporter`` commits to on the chain and contract that will hear the report."""
    return keccak256(word(chain_id) + word(contract) + word(reporter) + evidence_id + salt)


def _evidence(evidence: Evidence) -> bytes:
    match evidence:
        case Equivocation():
            links = word(len(evidence.links)) + b"".join(_struct(FLASHBLOCK, link) for link in evidence.links)
            halves = [_Dynamic(_promise(evidence.a)), _Dynamic(_promise(evidence.b))]
            return _tuple([_domain(evidence.domain), *halves, _Dynamic(links), _Dynamic(_bytes(evidence.root))])
        case ContradictedPromise():
            leaves = _array([_leaf(leaf) for leaf in evidence.leaves])
            halves = [_Dynamic(_promise(evidence.promised)), _Dynamic(_header(evidence.batch))]
            return _tuple([_domain(evidence.domain), *halves, _Dynamic(leaves)])
        case DoubleBatch():
            halves = [_Dynamic(_header(evidence.a)), _Dynamic(_header(evidence.b))]
            return _tuple([_domain(evidence.domain), *halves])


def _domain(domain: Domain) -> bytes:
    return word(domain.chain_id) + word(domain.verifying_contract) + domain.genesis_hash


def _promise(signed: SignedPromise) -> bytes:
    return _tuple([_struct(FLASHBLOCK, signed.flashblock), _Dynamic(_bytes(signed.signature))])


def _header(signed: SignedHeader) -> bytes:
    return _tuple([_struct(BATCH_HEADER, signed.header), _Dynamic(_bytes(signed.signature))])


def _leaf(leaf: PlaceLeaf) -> bytes:
    static = word(leaf.position) + word(leaf.block_number) + word(leaf.index) + leaf.struct_hash
    return _tuple([static, _Dynamic(word(len(leaf.branch)) + b"".join(leaf.branch))])


def _struct(struct: Struct[Any], instance: object) -> bytes:
    return b"".join(word(value) for value in values(struct, instance))


def _bytes(content: bytes) -> bytes:
    return word(len(content)) + content + bytes(-len(content) % 32)


def _array(items: Sequence[bytes]) -> bytes:
    """An array of dynamic items."""
    return word(len(items)) + _tuple([_Dynamic(item) for item in items])


def _tuple(parts: Sequence[_Part]) -> bytes:
    """Heads, then tails; offsets count from the start of the tuple."""
    offset = sum(32 if isinstance(part, _Dynamic) else len(part) for part in parts)
    heads, tails = [], []
    for part in parts:
        if isinstance(part, _Dynamic):
            heads.append(word(offset))
            tails.append(part.content)
            offset += len(part.content)
        else:
            heads.append(part)
    return b"".join(heads + tails)
