"""Evidence as JSON: one canonical text, so that equal evidence is an equal file.

::

    {kind: "E1", domain, a: {flashblock{...}, signature}, b: {...}, links: [flashblock{...}], root}
    {kind: "E2", domain, promised: {flashblock{...}, signature}, batch: {header{...}, signature},
     leaves: [{position, blockNumber, index, structHash, branch[]}]}
    {kind: "E3", domain, a: {header{...}, signature}, b: {...}}

``domain`` and the structs look as in a pre-confirmation: names of the EIP-712 types, integers as hex
quantities, bytes as hex data. Who signed is not in it, because it is recovered. Parsing is strict: a member
too many or too few, or an integer too wide for its type, raises ``Malformed`` with its path.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson

from sequencer.beacon.structs import BATCH_HEADER, FLASHBLOCK, Struct, values
from sequencer.core.encoding import data, parse_data, parse_hash, parse_quantity, quantity
from sequencer.core.errors import Malformed
from sequencer.core.evidence import (
    ContradictedPromise,
    DoubleBatch,
    Equivocation,
    Evidence,
    PlaceLeaf,
    SignedHeader,
    SignedPromise,
    fault_of,
)
from sequencer.core.preconf_json import parse_domain
from sequencer.core.types import UINT32_MAX, UINT64_MAX, Signature

Json = dict[str, Any]
_T = TypeVar("_T")

SIZE_LIMIT_BYTES: Final = 16 * 1024 * 1024
"""A file beyond this is no evidence of ours."""
LINKS_LIMIT: Final = 10_000
"""More ancestors than a block could ever take as call data."""


def dump(evidence: Evidence) -> str:
    """The canonical text, with a newline at its end."""
    return json.dumps(to_json(evidence), indent=2) + "\n"


def load(text: str) -> Evidence:
    """The evidence in a file's text. Raises ``Malformed``."""
    return parse(read_object(text))


def read_object(text: str) -> Json:
    """A JSON object. Raises ``Malformed``."""
    if len(text) > SIZE_LIMIT_BYTES:
        raise Malformed(f"more than {SIZE_LIMIT_BYTES} bytes")
    try:
        document = orjson.loads(text)  # unlike json, its depth is bounded
    except ValueError:
        raise Malformed("not JSON") from None
    if not isinstance(document, dict):
        raise Malformed("not a JSON object")
    return document


def to_json(evidence: Evidence) -> Json:
    """The canonical JSON object."""
    document: Json = {"kind": fault_of(evidence).name, "domain": evidence.domain.to_json()}
    match evidence:
        case Equivocation():
            document |= {
                "a": promise_json(evidence.a),
                "b": promise_json(evidence.b),
                "links": [struct_json(FLASHBLOCK, link) for link in evidence.links],
                "root": data(evidence.root),
            }
        case ContradictedPromise():
            document |= {
                "promised": promise_json(evidence.promised),
                "batch": header_json(evidence.batch),
                "leaves": [_leaf_json(leaf) for leaf in evidence.leaves],
            }
        case DoubleBatch():
            document |= {"a": header_json(evidence.a), "b": header_json(evidence.b)}
    return document


def parse(document: Json) -> Evidence:
    """The evidence in a JSON object. Raises ``Malformed`` naming the member that is wrong."""
    kind = document.get("kind")
    members = {"E1": ("a", "b", "links", "root"), "E2": ("promised", "batch", "leaves"), "E3": ("a", "b")}
    if not isinstance(kind, str) or kind not in members:
        raise Malformed('kind: expected "E1", "E2" or "E3"')
    _exactly(document, ("kind", "domain", *members[kind]), "evidence")
    domain = parse_domain(document["domain"], "domain")
    if kind == "E1":
        return Equivocation(
            domain,
            at("a", parse_promise, document["a"]),
            at("b", parse_promise, document["b"]),
            tuple(_items("links", document["links"], lambda link: parse_struct(FLASHBLOCK, link))),
            at("root", parse_data, document["root"]),
        )
    if kind == "E2":
        return ContradictedPromise(
            domain,
            at("promised", parse_promise, document["promised"]),
            at("batch", parse_header, document["batch"]),
            tuple(_items("leaves", document["leaves"], _parse_leaf)),
        )
    return DoubleBatch(domain, at("a", parse_header, document["a"]), at("b", parse_header, document["b"]))


def promise_json(signed: SignedPromise) -> Json:
    """A signed flashblock."""
    return {"flashblock": struct_json(FLASHBLOCK, signed.flashblock), "signature": data(signed.signature)}


def header_json(signed: SignedHeader) -> Json:
    """A signed batch header."""
    return {"header": struct_json(BATCH_HEADER, signed.header), "signature": data(signed.signature)}


def struct_json(struct: Struct[Any], instance: object) -> Json:
    """A struct by the names of its EIP-712 type."""
    return {
        field.name: quantity(value) if isinstance(value, int) else data(value)
        for field, value in zip(struct.fields, values(struct, instance), strict=True)
    }


def parse_struct(struct: Struct[_T], document: object) -> _T:
    """The struct in a JSON object. Raises ``Malformed``."""
    members = _exactly(document, [field.name for field in struct.fields], struct.make.__name__)
    parsed: dict[str, Any] = {}
    for field in struct.fields:
        if field.bits:
            parsed[field.attribute] = at(field.name, parse_quantity, members[field.name], 2**field.bits - 1)
        else:
            parsed[field.attribute] = at(field.name, parse_hash, members[field.name])
    return struct.make(**parsed)


def parse_promise(document: object) -> SignedPromise:
    """A signed flashblock and nothing else. Raises ``Malformed``."""
    members = _exactly(document, ("flashblock", "signature"), "promise")
    return SignedPromise(
        at("flashblock", lambda value: parse_struct(FLASHBLOCK, value), members["flashblock"]),
        parse_signature(members["signature"]),
    )


def parse_header(document: object) -> SignedHeader:
    """A signed batch header and nothing else. Raises ``Malformed``."""
    members = _exactly(document, ("header", "signature"), "batch")
    return SignedHeader(
        at("header", lambda value: parse_struct(BATCH_HEADER, value), members["header"]),
        parse_signature(members["signature"]),
    )


def parse_signature(value: object) -> Signature:
    """65 bytes; whether they are a signature shows when the signer is recovered. Raises ``Malformed``."""
    return Signature(at("signature", parse_data, value, 65))


def at(member: str, read: Callable[..., _T], *arguments: object) -> _T:
    """``read`` of the arguments; what it finds wrong is told with the member's name in front."""
    try:
        return read(*arguments)
    except Malformed as error:
        raise Malformed(f"{member}: {error}") from None


def _leaf_json(leaf: PlaceLeaf) -> Json:
    return {
        "position": quantity(leaf.position),
        "blockNumber": quantity(leaf.block_number),
        "index": quantity(leaf.index),
        "structHash": data(leaf.struct_hash),
        "branch": [data(sibling) for sibling in leaf.branch],
    }


def _parse_leaf(value: object) -> PlaceLeaf:
    members = _exactly(value, ("position", "blockNumber", "index", "structHash", "branch"), "leaf")
    return PlaceLeaf(
        at("position", parse_quantity, members["position"], UINT32_MAX),
        at("blockNumber", parse_quantity, members["blockNumber"], UINT64_MAX),
        at("index", parse_quantity, members["index"], UINT32_MAX),
        at("structHash", parse_hash, members["structHash"]),
        tuple(_items("branch", members["branch"], parse_hash)),
    )


def _items(member: str, value: object, read: Callable[[object], _T]) -> list[_T]:
    if not isinstance(value, list) or len(value) > LINKS_LIMIT:
        raise Malformed(f"{member}: expected an array of at most {LINKS_LIMIT} items")
    return [at(f"{member}[{i}]", read, item) for i, item in enumerate(value)]


def _exactly(value: object, names: Sequence[str], what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{what}: expected an object")
    missing, unknown = [name for name in names if name not in value], sorted(set(value) - set(names))
    if missing or unknown:
        said = f"lacks {missing[0]}" if missing else f"does not have a member {unknown[0][:40]!r}"
        raise Malformed(f"{what} {said}")
    return value
