"""Transactions for the tests of the columns: every form that is cut, and everything near it that is not."""

from collections.abc import Sequence

from da import limits, transactions
from da.columns import ColumnReader, ColumnWriter
from sequencer.core import rlp

TO = b"\x70" * 20
R, S = (1 << 255) + 12345, (1 << 254) + 6789
TRANSFER = bytes.fromhex("a9059cbb") + bytes(12) + b"\x21" * 20 + (25 * 10**18).to_bytes(32, "big")


def legacy(
    *, nonce: int = 1, price: int = 10**9, gas: int = 21_000, to: bytes = TO, value: int = 10**18, data: bytes = b"",
    v: int = 35 + 2 * 901, r: int = R, s: int = S,
) -> bytes:  # fmt: skip
    """A legacy transaction."""
    integers = map(rlp.uint, (nonce, price, gas))
    return rlp.encode([*integers, to, rlp.uint(value), data, *map(rlp.uint, (v, r, s))])


def typed(
    kind: int = 2, *, chain_id: int = 901, nonce: int = 1, tip: int = 10**9, fee: int = 10**10, gas: int = 60_000,
    to: bytes = TO, value: int = 0, data: bytes = TRANSFER, access_list: rlp.Item = (),
    authorizations: rlp.Item = (), parity: int = 1, r: int = R, s: int = S,
) -> bytes:  # fmt: skip
    """A transaction of type 1, 2 or 4."""
    head = map(rlp.uint, (chain_id, nonce, tip, *((fee,) if kind != 1 else ()), gas))
    lists = [access_list, *([authorizations] if kind == 4 else [])]
    items: list[rlp.Item] = [*head, to, rlp.uint(value), data, *lists, *map(rlp.uint, (parity, r, s))]
    return bytes((kind,)) + rlp.encode(items)


CUT = {
    "legacy": legacy(),
    "legacy creation": legacy(to=b"", data=b"\x60\x01" * 500),
    "legacy, largest chain id": legacy(v=35 + 2 * (2**64 - 1) + 1),
    "type 1": typed(1, access_list=[[TO, [b"\x05" * 32, b"\x06" * 32]]]),
    "type 2": typed(),
    "type 2 creation": typed(to=b"", data=bytes(range(256)) * 3),
    "type 4": typed(4, authorizations=[[b"", TO, b"", b"", rlp.uint(R), rlp.uint(S)]]),
    "every integer at its bound": typed(
        chain_id=2**64 - 1, nonce=2**64 - 1, tip=2**128 - 1, fee=2**128 - 1, gas=2**64 - 1, value=2**256 - 1,
        r=2**256 - 1, s=2**255 - 1,
    ),
    "every integer zero": typed(chain_id=0, nonce=0, tip=0, fee=0, gas=0, parity=0, r=0, s=0, data=b""),
    "a list of anything": typed(access_list=[b"x", [[[b""]]], b"y" * 60]),
    "short call data": typed(data=b"\xa9\x05\x9c"),
    "words alone": typed(data=bytes(31) + b"\x07" + b"\xff" * 32 + bytes(32)),
    "words of every class": typed(data=b"".join(b"\x09" * n + bytes(32 - n) for n in range(8)) + b"\x01" * 4),
    "numbers, addresses": typed(
        data=b"".join((1 << 8 * n).to_bytes(33, "big")[1:] for n in (0, 15, 16, 19, 20, 31))
        + (10**38).to_bytes(32, "big") + (2**128 - 1).to_bytes(32, "big") + b"\1\2\3\4"
    ),
    "many words and a rest": typed(data=TRANSFER + b"\x01" * 500),
}  # fmt: skip
"""Cut into fields."""

WHOLE = {
    "nothing": b"",
    "one byte": b"\x02",
    "no transaction": b"\x02first example transaction",
    "type 3": b"\x03" + typed()[1:],
    "unknown type": b"\x05" + typed()[1:],
    "unprotected": legacy(v=27),
    "v below chain ids": legacy(v=34),
    "chain id of 65 bits": legacy(v=35 + 2**65),
    "chain id of 65 bits, typed": typed(chain_id=2**64),
    "nonce of 65 bits": typed(nonce=2**64),
    "tip of 129 bits": typed(tip=2**128),
    "gas of 65 bits": typed(gas=2**64),
    "value of 257 bits": typed(value=2**256),
    "recipient of 19 bytes": typed(to=b"\x70" * 19),
    "parity 2": typed(parity=2),
    "high s": typed(s=2**255),
    "r of 257 bits": typed(r=2**256),
    "access list a string": typed(access_list=b"\x01\x02"),
    "call data a list": typed()[:1] + rlp.encode([*rlp.decode_list(typed()[1:])[:7], [], [], b"", b"\1", b"\1"]),
    "an item too many": b"\x02" + rlp.encode([*rlp.decode_list(typed()[1:]), b""]),
    "an item too few": b"\x02" + rlp.encode(rlp.decode_list(typed()[1:])[:-1]),
    "bytes behind": typed() + b"\0",
    "leading zero": typed()[:1] + rlp.encode([b"\0\1", *rlp.decode_list(typed()[1:])[1:]]),
    "length not minimal": b"\xf9\x00" + bytes((len(legacy()) - 2,)) + legacy()[2:],
    "byte with a prefix": b"\x02" + rlp.encode_list([b"\x81\x05", typed()[4:]]),
}
"""Kept whole."""


class Installed:
    """Sections as the installed ``transactions`` makes and reads them."""

    @staticmethod
    def encode(raws: Sequence[bytes]) -> bytes:
        """The section of ``raws``."""
        out = ColumnWriter()
        transactions.gather([(raws, ())]).write(out)
        return ColumnReader(out.finish()).section(limits.MAX_BODY_BYTES)

    @staticmethod
    def decode(section: bytes, count: int) -> list[bytes]:
        """Its ``count`` transactions."""
        return transactions.decode(section, count)
