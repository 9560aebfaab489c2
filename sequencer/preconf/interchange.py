"""A guard as JSON, to carry it to another machine. In the manner of EIP-3076, for flashblocks and batches.

::

    {"metadata": {"format": "rollup-sequencer-guard", "version": "1"},
     "data": [{"key": "0x...", "chainId": "0x...", "genesisHash": "0x...",
               "newest": {"epoch", "term", "reset", "blockNumber", "index", "structHash"} | null,
               "batches": [{"sequence", "structHash"}, ...]}]}

``newest`` is the newest flashblock that the key may have signed. An import only raises watermarks: what either side
knows stays known, and where the two know different things it is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sequencer.core import encoding
from sequencer.core.errors import Malformed
from sequencer.core.types import UINT32_MAX, UINT64_MAX, Hash32
from sequencer.preconf.guard import GuardRefused, GuardState, SignedPlace
from sequencer.preconf.guard_format import BATCHES, GuardedChain

FORMAT: Final = "rollup-sequencer-guard"
VERSION: Final = "1"
GUARDS_LIMIT: Final = 1024


@dataclass(frozen=True, slots=True)
class GuardRecord:
    """Everything that one guard knows."""

    chain: GuardedChain
    state: GuardState
    batches: Mapping[int, Hash32]


def to_json(records: Sequence[GuardRecord]) -> dict[str, Any]:
    """The document."""
    return {"metadata": {"format": FORMAT, "version": VERSION}, "data": [_record_json(record) for record in records]}


def _record_json(record: GuardRecord) -> dict[str, Any]:
    return {
        "key": encoding.data(record.chain.key),
        "chainId": hex(record.chain.chain_id),
        "genesisHash": encoding.data(record.chain.genesis_hash),
        "newest": _place_json(record.state.newest),
        "batches": [
            {"sequence": hex(sequence), "structHash": encoding.data(struct_hash)}
            for sequence, struct_hash in sorted(record.batches.items())
        ],
    }


def _place_json(place: SignedPlace | None) -> dict[str, str] | None:
    if place is None:
        return None
    return {
        "epoch": hex(place.epoch),
        "term": hex(place.term),
        "reset": hex(place.reset),
        "blockNumber": hex(place.block_number),
        "index": hex(place.index),
        "structHash": encoding.data(place.struct_hash),
    }


def from_json(document: object) -> list[GuardRecord]:
    """The guards in a document. Raises ``Malformed`` naming the place."""
    body = _object(document, "document")
    metadata = _object(body.get("metadata"), "metadata")
    if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
        raise Malformed(f"metadata: not format {FORMAT}, version {VERSION}")
    return [_record(item, f"data[{index}]") for index, item in enumerate(_list(body, "data", GUARDS_LIMIT))]


def _record(item: object, at: str) -> GuardRecord:
    fields = _object(item, at)
    try:
        chain = GuardedChain(
            encoding.parse_address(fields.get("key")),
            encoding.parse_quantity(fields.get("chainId")),
            encoding.parse_hash(fields.get("genesisHash")),
        )
        state = GuardState(_place(fields, "newest"))
        batches = {}
        for batch in _list(fields, "batches", BATCHES):
            known = _object(batch, "batches")
            sequence = encoding.parse_quantity(known.get("sequence"), UINT64_MAX)
            batches[sequence] = encoding.parse_hash(known.get("structHash"))
    except Malformed as error:
        raise Malformed(f"{at}: {error}") from None
    return GuardRecord(chain, state, batches)


def _place(record: Mapping[str, object], name: str) -> SignedPlace | None:
    if record.get(name) is None:
        return None
    fields = _object(record[name], name)

    def number(key: str, limit: int = UINT64_MAX) -> int:
        return encoding.parse_quantity(fields.get(key), limit)

    return SignedPlace(
        epoch=number("epoch"),
        term=number("term"),
        reset=number("reset", UINT32_MAX),
        block_number=number("blockNumber"),
        index=number("index", UINT32_MAX),
        struct_hash=encoding.parse_hash(fields.get("structHash")),
    )


def _object(value: object, at: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise Malformed(f"{at}: expected an object")
    return value


def _list(fields: Mapping[str, object], name: str, limit: int) -> list[object]:
    value = fields.get(name)
    if not isinstance(value, list) or len(value) > limit:
        raise Malformed(f"{name}: expected an array of at most {limit}")
    return value


def merged(here: GuardRecord, given: GuardRecord) -> tuple[GuardState, dict[int, Hash32]]:
    """What both together know. Raises ``GuardRefused`` where they contradict each other."""
    ours, theirs = here.state.newest, given.state.newest
    if ours is not None and theirs is not None and ours.place == theirs.place and ours != theirs:
        raise GuardRefused(
            f"the import knows {theirs} where this guard knows {ours}: the key has signed both, which is equivocation. "
            "Nothing was imported; keep both guards, and do not sign with this key again"
        )
    for sequence in here.batches.keys() & given.batches.keys():
        if here.batches[sequence] != given.batches[sequence]:
            raise GuardRefused(
                f"the import knows batch {sequence} as 0x{given.batches[sequence].hex()}, this guard as "
                f"0x{here.batches[sequence].hex()}: the key has signed both. Nothing was imported; keep both guards, "
                "and do not sign with this key again"
            )
    batches = {**here.batches, **given.batches}
    kept = {sequence: batches[sequence] for sequence in sorted(batches)[-BATCHES:]}
    return max(here.state, given.state, key=_progress), kept


def _progress(state: GuardState) -> tuple[int, ...]:
    """Orders what two guards of one chain know."""
    return state.newest.place if state.newest is not None else ()
