"""``docs/wire.md``, ``tests/golden/wire.json`` and the code say the same."""

import re
from pathlib import Path

import pytest

from da import limits
from da.derive import Ignored
from sequencer.core import secp256k1
from sequencer.core.batch import BATCH_HEADER_TYPE
from sequencer.core.flashblock import FLASHBLOCK_TYPE
from sequencer.core.keccak import keccak256
from tests.unit.da import wire_vectors

DOCUMENT = (Path(__file__).parents[3] / "docs" / "wire.md").read_text()
VECTORS = wire_vectors.vectors()
GOLDEN = wire_vectors.golden()
ROW = re.compile(r"^\| `([0-9a-f]*)` \| (\d+) \| ([^|]+) \|", re.MULTILINE)
COMPRESSED = ("batch",)
"""The compressor's output may change with its version, so only what it compresses is compared."""


def tables() -> dict[str, list[tuple[bytes, int, str]]]:
    """The rows of each table by the name of its vector."""
    parts = re.split(r"<!-- vector: (\w+) -->", DOCUMENT)
    named = zip(parts[1::2], parts[2::2], strict=True)
    return {
        name: [(bytes.fromhex(cell), int(size), field) for cell, size, field in ROW.findall(text)]
        for name, text in named
    }


def test_code_gives_the_golden_vectors() -> None:
    assert VECTORS.keys() == GOLDEN.keys()
    for name in VECTORS.keys() - set(COMPRESSED):
        assert VECTORS[name] == GOLDEN[name], name


def test_the_golden_batch_is_ours_up_to_compression() -> None:
    head = 1 + 208 + 1 + 65
    assert GOLDEN["batch"][:head] == VECTORS["batch"][:head]
    assert wire_vectors.uncompressed(GOLDEN["batch"]) == GOLDEN["body"]


@pytest.mark.parametrize("name", sorted(tables()))
def test_a_table_of_the_document_is_its_vector(name: str) -> None:
    rows = tables()[name]
    assert b"".join(cell for cell, _, _ in rows) == GOLDEN[name]
    assert [len(cell) for cell, _, _ in rows] == [size for _, size, _ in rows]


def test_every_vector_is_in_the_document() -> None:
    drawn = tables()
    for name, value in GOLDEN.items():
        assert name in drawn or f"`{name}` = `0x{value.hex()}`" in DOCUMENT, name


@pytest.mark.parametrize("name", [name for name in GOLDEN if name.endswith("Preimage")])
def test_a_preimage_hashes_to_its_name(name: str) -> None:
    assert keccak256(GOLDEN[name]) == GOLDEN[name.removesuffix("Preimage")]


def test_the_example_signature_is_by_the_example_key() -> None:
    signer = secp256k1.recover_signature(GOLDEN["digest"], GOLDEN["signature"])
    assert signer == secp256k1.address_of_private_key(keccak256(b"wire example key"))


@pytest.mark.parametrize(
    ("table", "type_text"), [("flashblockPreimage", FLASHBLOCK_TYPE), ("batchHeaderPreimage", BATCH_HEADER_TYPE)]
)
def test_struct_tables_name_the_fields_of_their_type(table: str, type_text: str) -> None:
    members = [member.split(" ")[1] for member in type_text[type_text.index("(") + 1 : -1].split(",")]
    assert [field for _, _, field in tables()[table]] == ["typeHash", *members]
    assert f"`{type_text}`" in DOCUMENT


def test_every_reason_to_ignore_is_explained() -> None:
    explained = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", DOCUMENT, re.MULTILINE)
    assert explained == [reason.value for reason in Ignored]


@pytest.mark.parametrize(
    "words",
    [
        f"below {limits.MAX_FRAMES}",
        f"readers take up to {limits.MAX_BLOB_FRAMES:,}",
        f"number of blocks, 1 to {limits.MAX_BLOCKS:,}",
        f"f in all, at most {limits.MAX_FLASHBLOCKS:,}",
        f"t in all, at most {limits.MAX_TRANSACTIONS:,}",
        f"number of signatures, at most {limits.MAX_SIGNATURES}",
        f"({limits.MAX_ALTERNATIVES} at most)",
        f"body {limits.MAX_BODY_BYTES >> 20} MiB, zstd window {limits.MAX_ZSTD_WINDOW_BYTES >> 20} MiB",
        f"{limits.MAX_CHANNELS} incomplete batches and {limits.MAX_CHANNEL_BYTES >> 20} MiB",
        f"{limits.MAX_HELD_BATCHES:,} waiting batches and {limits.MAX_HELD_BYTES >> 20} MiB",
    ],
)
def test_limits_in_the_document_are_those_of_the_code(words: str) -> None:
    assert words in DOCUMENT
