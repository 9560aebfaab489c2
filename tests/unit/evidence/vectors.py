"""Evidence, good and doctored, with the verdict that Python and Solidity must both come to.

python -m tests.unit.evidence.vectors > contracts/test/vectors/evidence.json
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sequencer.beacon import evidence_abi
from sequencer.beacon.slashing import BatchContents, NoFault, contradicted_promise, double_batch, equivocation
from sequencer.beacon.structs import FLASHBLOCK, values
from sequencer.core import merkle, secp256k1
from sequencer.core.eip712 import Domain, word
from sequencer.core.encoding import data
from sequencer.core.evidence import (
    ContradictedPromise,
    DoubleBatch,
    Equivocation,
    Evidence,
    PlaceLeaf,
    SignedHeader,
    SignedPromise,
    verify,
)
from sequencer.core.flashblock import FLASHBLOCK_TYPE, Flashblock
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Signature
from tests.unit.evidence.histories import DOMAIN, KEYS, batch_header, flashblock, sign_header, sign_promise

KEY, OTHER_KEY = KEYS[0], KEYS[1]


def chain(*places: tuple[int, int], parent: bytes = DOMAIN.genesis_hash, **fields: int | bytes) -> list[Flashblock]:
    """Flashblocks at these places, each the parent of the next."""
    made: list[Flashblock] = []
    for number, index in places:
        made.append(flashblock(block_number=number, index=index, parent=parent, **fields))
        parent = made[-1].struct_hash
    return made


MAIN = chain((1, 0), (1, 1), (2, 0), (4, 0), (4, 1), (4, 2), (7, 0))
FORK = chain((1, 1), (2, 0), (4, 0), (4, 1), (6, 0), (7, 0), parent=MAIN[0].struct_hash, term=2)
SKIPPING = chain((3, 0), (7, 1), parent=MAIN[0].struct_hash, term=2)
LATE_START = chain((2, 0), (3, 0), term=2)
HEADER_BYTES = b"\xf9\x02\x40" + bytes(range(64)) * 9
AFTER_RESET = chain((2, 0), (2, 1), (3, 0), parent=keccak256(HEADER_BYTES), reset=1)
AFTER_RESET_LATER = chain((3, 0), (3, 1), parent=keccak256(HEADER_BYTES), reset=1, term=2)
CROSSING = [flashblock(block_number=3, index=0, reset=0, term=5, parent=keccak256(b"nobody knows this either"))]
CROSSING += [flashblock(block_number=5, index=0, reset=1, term=5, parent=CROSSING[0].struct_hash)]
WITHHELD = flashblock(block_number=4, index=2, parent=keccak256(b"nobody knows"), term=2)
KNOWN = {f.struct_hash: f for f in [*MAIN, *FORK, *SKIPPING, *LATE_START, *AFTER_RESET, *AFTER_RESET_LATER, *CROSSING]}


def promise(struct: Flashblock, key: bytes = KEY, domain: Domain = DOMAIN) -> SignedPromise:
    return sign_promise(key, struct, domain)


def forked(a: Flashblock, b: Flashblock) -> Equivocation:
    """E1 as the builder makes it."""
    known: dict[bytes, Any] = {**KNOWN, keccak256(HEADER_BYTES): HEADER_BYTES}
    made = equivocation(DOMAIN, promise(a), promise(b), lambda child: known.get(child.parent))
    assert isinstance(made, Equivocation), made
    return made


def contradicted(victim: Flashblock, posted: list[Flashblock], **fields: int | bytes) -> ContradictedPromise:
    """E2 as the builder makes it."""
    header = sign_header(KEY, batch_header(posted, **({"first_block": 1, "last_block": 7} | fields)))
    made = contradicted_promise(DOMAIN, promise(victim), header, BatchContents.of(posted))
    assert isinstance(made, ContradictedPromise), made
    return made


def leaf(posted: list[Flashblock], at: int) -> PlaceLeaf:
    contents = BatchContents.of(posted)
    tree = merkle.levels(contents.leaves())
    return PlaceLeaf(at, *contents.places[at], contents.hashes[at], merkle.branch(tree, at))


def batches() -> DoubleBatch:
    """E3 as the builder makes it."""
    made = double_batch(DOMAIN, sign_header(KEY, batch_header(MAIN)), sign_header(KEY, batch_header(FORK)))
    assert not isinstance(made, NoFault)
    return made


def resigned(signature: bytes) -> Iterator[tuple[str, Signature]]:
    """What is not a strict signature, though some of it recovers to the same key."""
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    high = (secp256k1.ORDER - s).to_bytes(32, "big")
    yield "high s", Signature(r + high + bytes((55 - v,)))
    yield "v 0 or 1", Signature(signature[:64] + bytes((v - 27,)))
    yield "v 29", Signature(signature[:64] + b"\x1d")
    yield "64 bytes", Signature(signature[:64])
    yield "66 bytes", Signature(signature + b"\0")
    yield "empty", Signature(b"")
    yield "r 0", Signature(bytes(32) + signature[32:])
    yield "s 0", Signature(r + bytes(32) + signature[64:])
    yield "r of no point", Signature(word(5) + signature[32:])
    yield "all zero", Signature(bytes(65))


def cases() -> Iterator[tuple[str, Evidence]]:
    """Names and evidence."""
    yield from _equivocations()
    yield from _no_equivocations()
    yield from _contradicted_promises()
    yield from _kept_promises()
    yield from _double_batches()
    yield from _bad_signatures()


def _equivocations() -> Iterator[tuple[str, Evidence]]:
    yield "E1 same place", forked(MAIN[1], FORK[0])
    yield "E1 same place, same block start", forked(MAIN[2], FORK[1])
    yield "E1 halves swapped", _swapped(forked(MAIN[1], FORK[0]))
    yield "E1 next index names another parent", forked(MAIN[3], FORK[3])
    yield "E1 parent withheld, its place known", Equivocation(DOMAIN, promise(MAIN[4]), promise(WITHHELD))
    yield "E1 linked over blocks", forked(MAIN[1], FORK[5])
    yield "E1 linked over blocks, swapped", _swapped(forked(MAIN[1], FORK[5]))
    yield "E1 place skipped", forked(MAIN[2], SKIPPING[1])
    yield "E1 chain begins above", forked(MAIN[1], LATE_START[1])
    yield "E1 chain begins above, no link", forked(MAIN[1], LATE_START[0])
    yield "E1 within a later reset", forked(AFTER_RESET[2], AFTER_RESET_LATER[0])
    yield "E1 chain of a later reset begins above", forked(AFTER_RESET[1], AFTER_RESET_LATER[1])
    yield "E1 chain leaves the reset", forked(AFTER_RESET[0], CROSSING[1])


def _no_equivocations() -> Iterator[tuple[str, Evidence]]:
    one, later = promise(MAIN[1]), promise(MAIN[6])
    links = (MAIN[5], MAIN[4], MAIN[3], MAIN[2])
    yield "E1 same object", Equivocation(DOMAIN, one, one)
    yield "E1 descends", Equivocation(DOMAIN, one, later, (*links, MAIN[1]))
    yield "E1 descends, last link left out", Equivocation(DOMAIN, one, later, links)
    yield "E1 descends, links end early", Equivocation(DOMAIN, one, later, links[:2])
    yield "E1 descends, no link", Equivocation(DOMAIN, one, later)
    yield "E1 descends, links go on", Equivocation(DOMAIN, one, later, (*links, MAIN[1], MAIN[0]))
    yield "E1 direct child", Equivocation(DOMAIN, promise(MAIN[0]), one)
    yield "E1 direct child across blocks", Equivocation(DOMAIN, one, promise(MAIN[2]))
    yield "E1 descends, next index of another block", Equivocation(DOMAIN, promise(MAIN[0]), promise(MAIN[4]))
    yield "E1 link of another chain", Equivocation(DOMAIN, one, later, (FORK[4],))
    yield "E1 second link broken", Equivocation(DOMAIN, one, later, (MAIN[5], FORK[3]))
    yield "E1 link altered", Equivocation(DOMAIN, one, later, (replace(MAIN[5], term=9), MAIN[4]))
    yield "E1 proven, links go on", replace(forked(MAIN[1], FORK[5]), links=(*FORK[4::-1], MAIN[0]))
    yield "E1 same place with links", replace(forked(MAIN[1], FORK[0]), links=(MAIN[0],))
    yield "E1 other resets", Equivocation(DOMAIN, promise(MAIN[2]), promise(AFTER_RESET[0]))
    forks = forked(MAIN[1], FORK[0])
    elsewhere = replace(DOMAIN, genesis_hash=keccak256(b"other"))
    yield "E1 other signer", replace(forks, b=promise(forks.b.flashblock, OTHER_KEY))
    yield "E1 other chain id", replace(forks, domain=replace(DOMAIN, chain_id=4243))
    yield "E1 signed for another genesis", replace(forks, b=promise(forks.b.flashblock, KEY, elsewhere))
    yield "E1 root is a flashblock", Equivocation(DOMAIN, one, later, links[:3], _encoding(MAIN[2]))
    yield "E1 root is something else", Equivocation(DOMAIN, one, later, links[:3], HEADER_BYTES)
    yield "E1 root missing", replace(forked(AFTER_RESET[1], AFTER_RESET_LATER[1]), root=b"")
    yield "E1 same place with a root", replace(forked(MAIN[1], FORK[0]), root=HEADER_BYTES)
    yield "E1 linked, with a root", replace(forked(MAIN[1], FORK[5]), root=HEADER_BYTES)
    yield "E1 chain begins above, with a root", replace(forked(MAIN[1], LATE_START[1]), root=HEADER_BYTES)
    far = forked(MAIN[1], FORK[5])
    yield "E1 first link missing", replace(far, links=far.links[1:])


def _contradicted_promises() -> Iterator[tuple[str, Evidence]]:
    without = [f for f in MAIN if f is not MAIN[3]]
    yield "E2 another hash", contradicted(FORK[1], MAIN)
    yield "E2 between neighbours", contradicted(MAIN[3], without)
    yield "E2 before the first", contradicted(MAIN[0], MAIN[1:])
    yield "E2 after the last", contradicted(MAIN[6], MAIN[:6])
    yield "E2 no flashblock at all", contradicted(MAIN[2], [])
    yield "E2 one leaf, another hash", contradicted(FORK[0], [MAIN[1]])
    yield "E2 one leaf, below", contradicted(MAIN[2], [MAIN[1]])
    yield "E2 one leaf, above", contradicted(MAIN[0], [MAIN[1]])
    yield "E2 leaves in disorder", contradicted(MAIN[3], [MAIN[6], MAIN[1], MAIN[5], MAIN[0]])
    yield "E2 first block of the batch", contradicted(MAIN[0], [], first_block=1, last_block=1)
    for count in (2, 3, 5, 8):
        yield f"E2 tree of {count}", contradicted(FORK[0], [MAIN[1], *chain(*((9, i) for i in range(count - 1)))])


def _kept_promises() -> Iterator[tuple[str, Evidence]]:
    batch = sign_header(KEY, batch_header(MAIN, first_block=1, last_block=7))
    mine = promise(MAIN[3])

    def claim(*leaves: PlaceLeaf, promised: SignedPromise = mine, against: SignedHeader = batch) -> Evidence:
        return ContradictedPromise(DOMAIN, promised, against, leaves)

    yield "E2 kept", claim(leaf(MAIN, 3))
    yield "E2 no leaf of some", claim()
    yield "E2 neighbour that is no edge", claim(leaf(MAIN, 2))
    yield "E2 edge on the wrong side", claim(leaf(MAIN, 6))
    yield "E2 first leaf below", claim(leaf(MAIN, 0))
    yield "E2 neighbours not adjacent", claim(leaf(MAIN, 2), leaf(MAIN, 4))
    yield "E2 neighbours elsewhere", claim(leaf(MAIN, 4), leaf(MAIN, 5))
    yield "E2 neighbours swapped", claim(leaf(MAIN, 4), leaf(MAIN, 3))
    yield "E2 neighbours, the first kept", claim(leaf(MAIN, 3), leaf(MAIN, 4))
    yield "E2 neighbours, the second kept", claim(leaf(MAIN, 2), leaf(MAIN, 3))
    yield "E2 three leaves", claim(leaf(MAIN, 2), leaf(MAIN, 3), leaf(MAIN, 4))
    yield "E2 leaf of another batch", claim(leaf(FORK, 2))
    yield "E2 second leaf of another batch", claim(leaf(MAIN, 2), leaf(FORK, 3))
    yield "E2 position beyond the count", claim(replace(leaf(MAIN, 6), position=7))
    yield "E2 wrong position", claim(replace(leaf(MAIN, 6), position=5))
    yield "E2 branch too short", claim(replace(leaf(MAIN, 3), branch=leaf(MAIN, 3).branch[:-1]))
    yield "E2 branch too long", claim(replace(leaf(MAIN, 3), branch=(*leaf(MAIN, 3).branch, word(0))))
    yield "E2 node passed as a leaf", claim(replace(leaf(MAIN, 3), struct_hash=leaf(MAIN, 3).branch[0]))
    without = [f for f in MAIN if f is not MAIN[3]]
    omitted = contradicted(MAIN[3], without)
    alone = contradicted(FORK[0], [MAIN[1]])
    yield "E2 one leaf, beyond the count", replace(alone, leaves=(replace(alone.leaves[0], position=1),))
    yield "E2 omitted, three leaves", replace(omitted, leaves=(*omitted.leaves, leaf(without, 4)))
    after = sign_header(KEY, batch_header([], first_block=1, last_block=3))
    yield "E2 batch ends before", claim(against=after)
    yield "E2 batch begins after", claim(against=sign_header(KEY, batch_header([], first_block=5, last_block=9)))
    yield "E2 batch of another reset", claim(against=sign_header(KEY, batch_header([], last_block=9, reset=1)))
    yield "E2 batch of another signer", claim(against=sign_header(OTHER_KEY, batch_header([], last_block=9)))
    yield "E2 count doctored", claim(against=SignedHeader(replace(batch.header, flashblock_count=0), batch.signature))


def _double_batches() -> Iterator[tuple[str, Evidence]]:
    both = batches()
    yield "E3 two batches", both
    yield "E3 halves swapped", DoubleBatch(DOMAIN, both.b, both.a)
    yield "E3 same batch", DoubleBatch(DOMAIN, both.a, both.a)
    header = both.b.header
    yield "E3 other sequence", replace(both, b=sign_header(KEY, replace(header, sequence=2)))
    yield "E3 other reset", replace(both, b=sign_header(KEY, replace(header, reset=1)))
    yield "E3 other signer", replace(both, b=sign_header(OTHER_KEY, header))
    yield "E3 doctored", replace(both, b=SignedHeader(replace(header, term=9), both.b.signature))


def _bad_signatures() -> Iterator[tuple[str, Evidence]]:
    forks, batch, two = forked(MAIN[1], FORK[0]), contradicted(MAIN[2], []), batches()
    for name, signature in resigned(forks.a.signature):
        yield f"E1 first signature: {name}", replace(forks, a=SignedPromise(forks.a.flashblock, signature))
    for name, signature in list(resigned(forks.b.signature))[:4]:
        yield f"E1 second signature: {name}", replace(forks, b=SignedPromise(forks.b.flashblock, signature))
    for name, signature in list(resigned(batch.batch.signature))[:4]:
        yield f"E2 batch signature: {name}", replace(batch, batch=SignedHeader(batch.batch.header, signature))
    for name, signature in list(resigned(two.a.signature))[:4]:
        yield f"E3 first signature: {name}", replace(two, a=SignedHeader(two.a.header, signature))
    zero = Signature(bytes(64) + b"\x1b")
    both_fail = replace(forks, a=SignedPromise(forks.a.flashblock, zero), b=SignedPromise(forks.b.flashblock, zero))
    yield "E1 both recoveries fail alike", both_fail


def _swapped(evidence: Equivocation) -> Equivocation:
    return replace(evidence, a=evidence.b, b=evidence.a)


def _encoding(struct: Flashblock) -> bytes:
    return keccak256(FLASHBLOCK_TYPE.encode()) + b"".join(word(value) for value in values(FLASHBLOCK, struct))


def document() -> str:
    """The file of golden vectors: the cases as columns, which is how forge reads arrays."""
    reporter, contract, salt = Address(b"\x11" * 20), Address(b"\x22" * 20), keccak256(b"salt")
    columns: dict[str, list[Any]] = {"name": [], "call": [], "report": [], "id": [], "offender": [], "error": []}
    for name, evidence in cases():
        verdict = verify(evidence)
        columns["name"].append(name)
        columns["call"].append(data(evidence_abi.verify_call(evidence)))
        columns["report"].append(data(evidence_abi.report_call(evidence, salt) if verdict.valid else b""))
        columns["id"].append(data(verdict.id or bytes(32)))
        columns["offender"].append(data(verdict.offender or bytes(20)))
        columns["error"].append(data(evidence_abi.error_selector(verdict.flaw) if verdict.flaw else b""))
    first = verify(batches()).id
    assert first is not None
    commitment = {
        "chainId": 31337,
        "contract": data(contract),
        "reporter": data(reporter),
        "id": data(first),
        "salt": data(salt),
        "commitment": data(evidence_abi.commitment(31337, contract, reporter, first, salt)),
    }
    return json.dumps({"commitment": commitment, "cases": columns}, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
