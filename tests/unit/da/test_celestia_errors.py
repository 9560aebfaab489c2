"""Every error text that a node is known to give, and what it means for a read and for a submission."""

import re

import pytest

from da.celestia.errors import Meaning, NodeError, meaning, translated
from da.errors import LayerRefused, TooLarge
from sequencer.core.errors import Temporary, Unknown
from tests.vectors import vectors_dir

TEXTS = [
    ("blob: not found", Temporary, Temporary),
    ("blob: invalid proof", LayerRefused, LayerRefused),
    ("blob: proof cannot be nil", LayerRefused, LayerRefused),
    ("header: given height is from the future: networkHeight: 5, requestedHeight: 9", Temporary, Temporary),
    ("header: syncing in progress: localHeadHeight: 5, requestedHeight: 9", Temporary, Temporary),
    ("requested header (3) is below Tail (90)", Temporary, Temporary),
    ("height is equal to 0", LayerRefused, LayerRefused),
    ("height cannot be equal to 0", LayerRefused, LayerRefused),
    ("share: data not available", Temporary, Unknown),
    ("data not found", Temporary, Unknown),
    ("context deadline exceeded", Temporary, Unknown),
    ("timed out waiting for tx to be included in a block", Temporary, Unknown),
    ("tx already in mempool", Temporary, Unknown),
    ("account sequence mismatch, expected 3, got 2: incorrect account sequence", Temporary, Temporary),
    ("blob: over size limit", TooLarge, TooLarge),
    ("tx too large", TooLarge, TooLarge),
    ("transaction size exceeds maximum allowed limit", TooLarge, TooLarge),
    ("state: estimated gas price exceeds max gas price in tx config", Temporary, Temporary),
    ("insufficient fees; got: 1utia required: 2utia: insufficient fee", Temporary, Temporary),
    ("spendable balance 1utia is smaller than 2utia: insufficient funds", LayerRefused, LayerRefused),
    ("state: no blobs provided", LayerRefused, LayerRefused),
    ("not allowed namespace 00ff were used to build the blob", LayerRefused, LayerRefused),
    ("invalid user namespace", LayerRefused, LayerRefused),
    ("missing permission to invoke 'Submit' (need 'write')", LayerRefused, LayerRefused),
    ("something that nobody listed", Temporary, Unknown),
]


@pytest.mark.parametrize(("text", "read", "write"), TEXTS)
def test_texts(text: str, read: type[Exception], write: type[Exception]) -> None:
    error = NodeError(f"rpc: {text}!", code=1)
    assert isinstance(translated("blob.Get", error, writes=False), read)
    assert isinstance(translated("blob.Submit", error, writes=True), write)


def test_every_text_of_the_api_notes_is_listed() -> None:
    notes = (vectors_dir() / "celestia" / "celestia-node-api.md").read_text()
    table = notes[notes.index("| message contains |") : notes.index("Differences between versions")]
    listed = [text for text, _, _ in TEXTS]
    for cell in (row.split("|")[1] for row in table.splitlines()[2:] if row.startswith("|")):
        for words in re.findall(r"`([^`]+)`", cell):
            words = re.sub(r"\b[NM]\b", lambda m: {"N": "5", "M": "9"}[m[0]], words)
            words = words.replace("requested header (9) is below Tail (5)", "is below Tail")
            assert any(words in text for text in listed), words


@pytest.mark.parametrize("code", [-32700, -32600, -32601, -32602])
def test_a_request_that_was_not_understood_did_nothing(code: int) -> None:
    error = NodeError("wrong param count", code=code, status=500)
    assert meaning(error, writes=True) is meaning(error, writes=False) is Meaning.REFUSED


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (401, Meaning.REFUSED, Meaning.REFUSED),
        (413, Meaning.REFUSED, Meaning.REFUSED),
        (429, Meaning.BUSY, Meaning.BUSY),
        (503, Meaning.BUSY, Meaning.BUSY),
        (500, Meaning.BUSY, Meaning.UNKNOWN),
        (502, Meaning.BUSY, Meaning.UNKNOWN),
        (504, Meaning.BUSY, Meaning.UNKNOWN),
    ],
)
def test_http_statuses_without_json(status: int, read: Meaning, write: Meaning) -> None:
    assert meaning(NodeError("", status=status), writes=False) is read
    assert meaning(NodeError("", status=status), writes=True) is write
