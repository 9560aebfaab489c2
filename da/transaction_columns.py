"""The transactions of a body as columns of their fields. Pure Python; the twin in Rust gives the same bytes.

Signatures and fresh addresses are random, and no compressor shrinks them; everything else nearly vanishes once
equal fields stand together. Column kinds are those of ``columns``; ``t`` transactions, ``m`` of them cut into
fields (``transaction_fields``), the others as they are.

::

    fixed shape(1)                              t   0 as it is; type + 1, and + 16 without recipient
    string raw transaction                      of shape 0
    delta chainId                               m
    uint 0 || uint nonce, or uint 1 || delta nonce      m   whichever ``_by_step`` says
    uint length of the call data                m
    index gas, values uint                      m
    index tip or gas price, values uint         m
    index fee, values uint                      types 2 and 4
    calls                                       m   drawn in ``call_columns``
    string access list                          types 1, 2 and 4: the payload of the RLP list
    string authorizations                       type 4: the payload of the RLP list
    fixed r(32)                                 m
    fixed yParityAndS(32)                       m   (EIP-2098)

One section has one reading: what was read must encode to the very same bytes.
"""

from collections.abc import Sequence
from typing import Final

from da import call_columns, limits
from da.columns import ColumnReader, ColumnWriter
from da.transaction_fields import CREATION, RAW, SHAPES, Fields, cut, join
from sequencer.core.errors import Malformed

_SIZE_BITS: Final = limits.MAX_BLOCK_BYTES.bit_length()
_CAPPED: Final = (2, 4)
_LISTING: Final = (1, 2, 4)


def encode(raws: Sequence[bytes]) -> bytes:
    """The section of ``raws``: the same transactions give the same bytes everywhere."""
    cuts = [cut(raw) for raw in raws]
    fields = [one for one in cuts if one is not None]
    out = ColumnWriter()
    out.fixed((bytes(one.shape if one else RAW for one in cuts),))
    out.strings([raw for raw, one in zip(raws, cuts, strict=True) if one is None])
    _write_integers(out, fields)
    call_columns.write(out, fields)
    out.strings([one.access_list for one in fields if one.kind in _LISTING])
    out.strings([one.authorizations for one in fields if one.kind == 4])
    out.fixed(one.r for one in fields)
    out.fixed(one.y_parity_and_s for one in fields)
    return out.finish()


def decode(section: bytes, count: int) -> list[bytes]:
    """The ``count`` transactions of a section. Raises ``Malformed``, and nothing else, whatever the bytes."""
    reader = ColumnReader(section)
    (shapes,) = reader.blocks([count])
    if not {*shapes} <= {RAW, *SHAPES}:
        raise Malformed("body: a transaction of unknown shape")
    whole = iter(reader.strings(shapes.count(RAW), limits.MAX_BLOCK_BYTES))
    fields = map(join, _read_fields(reader, [shape for shape in shapes if shape != RAW]))
    raws = [next(whole) if shape == RAW else next(fields) for shape in shapes]
    if encode(raws) != section:
        raise Malformed("body: not the one encoding of its transactions")
    return raws


def _read_fields(reader: ColumnReader, shapes: Sequence[int]) -> list[Fields]:
    kinds = [SHAPES[shape] for shape in shapes]
    count = len(kinds)
    chain_ids = reader.deltas(count, 64)
    nonces = (reader.deltas if reader.uint(1, "kind of the nonces") else reader.uints)(count, 64)
    data_sizes = reader.uints(count, _SIZE_BITS)
    if sum(data_sizes) > limits.MAX_BODY_BYTES:  # short words and shared addresses become longer by being read
        raise Malformed("body: more call data than it may have")
    gas, tips = _read_dictionary(reader, count, 64), _read_dictionary(reader, count, 128)
    fees = iter(_read_dictionary(reader, sum(kind in _CAPPED for kind in kinds), 128))
    capped = [next(fees) if kind in _CAPPED else 0 for kind in kinds]
    calls = call_columns.read(reader, data_sizes, [bool(shape & CREATION) for shape in shapes])
    lists = [_read_lists(reader, [kind in having for kind in kinds]) for having in (_LISTING, (4,))]
    signatures = [reader.fixed(count, 32) for _ in ("r", "yParityAndS")]
    reader.finish()
    integers = (kinds, chain_ids, nonces, tips, capped, gas)
    return list(map(Fields, *integers, calls.to, calls.values, calls.datas, *lists, *signatures))


def _write_integers(out: ColumnWriter, fields: Sequence[Fields]) -> None:
    out.deltas(one.chain_id for one in fields)
    nonces = [one.nonce for one in fields]
    by_step = _by_step(nonces)
    out.uint(by_step)
    (out.deltas if by_step else out.uints)(nonces)
    out.uints(len(one.data) for one in fields)
    out.uints(out.index([one.gas for one in fields]))
    out.uints(out.index([one.tip for one in fields]))
    out.uints(out.index([one.fee for one in fields if one.kind in _CAPPED]))


def _by_step(nonces: Sequence[int]) -> bool:
    """Whether the differences have fewer bits, each with one for its sign: of few senders they have, of many in
    turn the values have."""
    steps = [abs(nonce - before) for nonce, before in zip(nonces, [0, *nonces], strict=False)]
    return sum(1 + step.bit_length() for step in steps) < sum(nonce.bit_length() for nonce in nonces)


def _read_dictionary(reader: ColumnReader, count: int, bits: int) -> list[int]:
    (places,), different = reader.index(count)
    values = reader.uints(different, bits)
    return [values[place] for place in places]


def _read_lists(reader: ColumnReader, present: Sequence[bool]) -> list[bytes]:
    payloads = iter(reader.blocks(reader.uints(sum(present), _SIZE_BITS)))
    return [next(payloads) if one else b"" for one in present]
