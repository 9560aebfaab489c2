"""Pre-confirmations for tests: one made from a known key, and every way of doctoring one."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sequencer.core import merkle, secp256k1
from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Flashblock, Preconfirmation, SignedFlashblock, order_leaves, outcome_leaves
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.preconf_json import from_json
from sequencer.core.types import Address, Hash32, Signature
from sequencer.preconf.verify import KnownChain
from sequencer.rpc.render.preconfirmation import preconfirmation as render

Document = dict[str, Any]

KEY = keccak256(b"an example of a sequencer's key")
OTHER_KEY = keccak256(b"a key that is in no sequencer set")
DOMAIN = Domain(421701, Address(bytes(18) + b"\x08\x01"), keccak256(b"the genesis of an example"))
SEQUENCER = secp256k1.address_of_private_key(KEY)
CHAIN = KnownChain(DOMAIN, SequencerSet(0, (SequencerInfo(SEQUENCER, SEQUENCER),)))


def flashblock(transactions: int, first_position: int = 0, **fields: Any) -> Flashblock:
    """A flashblock of made-up transactions."""
    standard = {
        "epoch": 0,
        "term": 1,
        "reset": 0,
        "block_number": 1846,
        "index": 2,
        "first_position": first_position,
        "transaction_count": transactions,
        "parent": keccak256(b"the flashblock before"),
        "order_root": merkle.root(order_leaves(first_position, hashes(transactions))),
        "outcomes_root": merkle.root(outcome_leaves(first_position, outcomes(transactions))),
        "ordering_policy": keccak256(b"fcfs"),
        "timestamp_ms": 1_780_000_000_250,
        "post_by": 1_780_003_600,
    }
    return Flashblock(**(standard | fields))


def hashes(count: int) -> list[Hash32]:
    return [keccak256(b"transaction %d" % i) for i in range(count)]


def outcomes(count: int) -> list[Hash32]:
    return [keccak256(b"receipt %d" % i) for i in range(count)]


def sample(transactions: int = 5, index: int = 3, key: bytes = KEY, **fields: Any) -> Preconfirmation:
    """The pre-confirmation of transaction ``index`` of a flashblock, by ``key``."""
    struct = flashblock(transactions, **fields)
    first = struct.first_position
    return Preconfirmation(
        domain=DOMAIN,
        transaction_hash=hashes(transactions)[index],
        position=first + index,
        outcome_hash=outcomes(transactions)[index],
        signed=sign(struct, DOMAIN, key),
        order_branch=merkle.branch(merkle.levels(order_leaves(first, hashes(transactions))), index),
        outcome_branch=merkle.branch(merkle.levels(outcome_leaves(first, outcomes(transactions))), index),
    )


def sign(struct: Flashblock, domain: Domain, key: bytes) -> SignedFlashblock:
    signature = secp256k1.sign(key, domain.digest(struct.struct_hash))
    return SignedFlashblock(struct, secp256k1.address_of_private_key(key), signature)


def sample_json(**arguments: Any) -> Document:
    """``sample`` as the node writes it."""
    return render(sample(**arguments))


# ------------------------------------------------------------------------------------------------------ doctoring


@dataclass(frozen=True, slots=True)
class Doctored:
    """A text that every verifier must refuse."""

    name: str
    text: str
    well_formed: bool
    """Whether it still is a pre-confirmation by its form."""
    stricter: bool = False
    """Refused by us, although wallet libraries may take the signature."""

    @property
    def document(self) -> Any:
        return json.loads(self.text)


def doctored(honest: Document) -> list[Doctored]:
    """Each member of ``honest`` in turn changed, broken, taken away; and what a forger would rather try."""
    return [*_member_by_member(honest), *_forgeries(honest), *_other_shapes(honest)]


def _member_by_member(honest: Document) -> Iterator[Doctored]:
    for path in _paths(honest):
        name = _name(path)
        value = _get(honest, path)
        if isinstance(value, str):
            constant = name in ("domain.name", "domain.version", "domain.chainId", "chainId")
            yield _case(f"{name} changed", honest, path, _changed(value), well_formed=not constant)
            yield _case(f"{name} cut", honest, path, value[:-1] if value[:2] != "0x" else "0x", well_formed=False)
            yield _case(f"{name} with a space", honest, path, value + " ", well_formed=False)
            yield _case(f"{name} not hex", honest, path, value[:-1] + "g", well_formed=False)
        for label, wrong in (("null", None), ("a number", 1), ("true", True), ("an object", {}), ("a list", [[]])):
            yield _case(f"{name} {label}", honest, path, wrong, well_formed=False)
        if isinstance(path[-1], str):
            yield _doctor(f"{name} missing", honest, lambda copy, path=path: _parent(copy, path).pop(path[-1]), False)
    for place in ((), ("domain",), ("flashblock",)):
        where = _name(place) or "top"
        for member in ("surprise", "__proto__", "\x1b[31mred", "x" * 100):
            yield _case(f"{where} with {member[:10]!r}", honest, (*place, member), 1, well_formed=False)


def _forgeries(honest: Document) -> Iterator[Doctored]:
    promise = from_json(honest)
    signature = promise.signed.signature
    order = secp256k1.ORDER
    s = int.from_bytes(signature[32:64], "big")
    mirrored = Signature(signature[:32] + (order - s).to_bytes(32, "big") + bytes([55 - signature[64]]))
    forged = sign(promise.signed.flashblock, promise.domain, OTHER_KEY)
    for name, fields, stricter in (
        ("signature with high s", {"signature": mirrored}, True),
        ("signature with v 0 or 1", {"signature": signature[:64] + bytes([signature[64] - 27])}, True),
        ("signature with the other v", {"signature": signature[:64] + bytes([55 - signature[64]])}, False),
        ("signature with v 29", {"signature": signature[:64] + b"\x1d"}, True),
        ("signature with r 0", {"signature": bytes(32) + signature[32:]}, False),
        ("signature with s 0", {"signature": signature[:32] + bytes(32) + signature[64:]}, False),
        ("signature with r the order", {"signature": order.to_bytes(32, "big") + signature[32:]}, False),
        ("signature with r off the curve", {"signature": (5).to_bytes(32, "big") + signature[32:]}, False),
        ("signature of nothing", {"signature": bytes(65)}, False),
        ("signature by another key", {"signature": forged.signature}, False),
    ):
        values = {member: "0x" + bytes(value).hex() for member, value in fields.items()}
        yield _doctor(name, honest, lambda copy, values=values: copy.update(values), True, stricter)
    chain_id = hex(promise.domain.chain_id + 1)
    yield _doctor("both chain ids changed", honest, lambda copy: _set_chain_id(copy, chain_id), True)
    for branch in ("orderBranch", "outcomeBranch"):
        siblings = honest[branch]
        for name, wrong in (
            ("too short", siblings[:-1]),
            ("too long", [*siblings, siblings[-1]]),
            ("reversed", siblings[::-1]),
            ("empty", []),
            ("of another root", ["0x" + "00" * 32 for _ in siblings]),
        ):
            yield _case(f"{branch} {name}", honest, (branch,), wrong, well_formed=True)
        yield _case(f"{branch} endless", honest, (branch,), siblings[:1] * 33, well_formed=False)
    other = {"orderBranch": honest["outcomeBranch"], "outcomeBranch": honest["orderBranch"]}
    yield _doctor("branches exchanged", honest, lambda copy: copy.update(other), True)
    first, count = promise.signed.flashblock.first_position, promise.signed.flashblock.transaction_count
    for name, position in (("before", first - 1), ("past the end", first + count), ("far away", 2**32 - 1)):
        if position >= 0:
            yield _case(f"position {name}", honest, ("position",), hex(position), well_formed=True)
    for bits, name in ((64, "epoch"), (32, "index"), (64, "postBy")):
        yield _case(f"{name} overflows", honest, ("flashblock", name), hex(2**bits), well_formed=False)
    yield _case("leading zero", honest, ("position",), "0x0" + honest["position"][2:], well_formed=False)
    yield _case("capital prefix", honest, ("signer",), "0X" + honest["signer"][2:], well_formed=False)
    yield _case("digits of another script", honest, ("position",), "0x\u0661", well_formed=False)


def _set_chain_id(document: Document, chain_id: str) -> None:
    document["chainId"] = document["domain"]["chainId"] = chain_id


def signed_by_an_outsider(honest: Document) -> Doctored:
    """Consistent in itself, by a key that may not sequence: only the sequencer set shows it."""
    promise = from_json(honest)
    forged = sign(promise.signed.flashblock, promise.domain, OTHER_KEY)
    members = {"signer": "0x" + forged.signer.hex(), "signature": "0x" + forged.signature.hex()}
    return _doctor("signed by an outsider", honest, lambda copy: copy.update(members), True)


def _other_shapes(honest: Document) -> Iterator[Doctored]:
    text = json.dumps(honest)
    for name, shape in (
        ("null", "null"),
        ("a list", f"[{text}]"),
        ("a text", json.dumps(text)),
        ("cut off", text[:-1]),
        ("twice", text + text),
        ("not JSON", "pre-confirmed, trust me"),
        ("nested without end", "[" * 100_000),
        ("an error", '{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}'),
        ("an empty answer", '{"jsonrpc":"2.0","id":1,"result":null}'),
    ):
        yield Doctored(name, shape, well_formed=False)


def _case(name: str, honest: Document, path: tuple[str | int, ...], value: Any, *, well_formed: bool) -> Doctored:
    def change(copy: Document) -> None:
        _parent(copy, path)[path[-1]] = value

    return _doctor(name, honest, change, well_formed)


def _doctor(
    name: str, honest: Document, change: Callable[[Any], Any], well_formed: bool, stricter: bool = False
) -> Doctored:
    copy = deepcopy(honest)
    change(copy)
    assert copy != honest, name
    return Doctored(name, json.dumps(copy), well_formed, stricter)


def _changed(value: str) -> str:
    """Another value of the same form: the last digit differs."""
    if not value.startswith("0x"):
        return value + "!"
    return value[:-1] + ("1" if value[-1] == "0" else format(int(value[-1], 16) ^ 1, "x"))


def _paths(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(document, dict):
        for member in document:
            yield from _paths(document[member], (*path, member))
    elif isinstance(document, list):
        for at in range(len(document)):
            yield from _paths(document[at], (*path, at))


def _get(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def _parent(document: Any, path: tuple[str | int, ...]) -> Any:
    return _get(document, path[:-1])


def _name(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
