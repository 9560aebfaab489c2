"""Reading a pre-confirmation's JSON: what users have at hand is found, and the first wrong member is named."""

import json

import pytest

from sequencer.core.errors import Malformed
from sequencer.core.preconf_json import TEXT_LIMIT, parse
from tests.preconfirmations import sample, sample_json

HONEST = sample_json()


@pytest.mark.parametrize(
    "around",
    [
        HONEST,
        {"jsonrpc": "2.0", "id": 1, "result": HONEST},
        {"status": "0x1", "logs": [], "preconfirmation": HONEST},
        {"jsonrpc": "2.0", "id": 1, "result": {"status": "0x1", "preconfirmation": HONEST}},
    ],
    ids=["bare", "in an answer", "in a receipt", "in a receipt in an answer"],
)
def test_the_promise_is_found_in_what_the_rpc_answers(around: object) -> None:
    assert parse(json.dumps(around)) == sample()
    assert parse(json.dumps(around, indent=4).encode()) == sample()


def test_letter_case_of_digits_does_not_matter() -> None:
    assert parse(json.dumps({**HONEST, "signer": "0x" + HONEST["signer"][2:].upper()})) == sample()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"position": "0x03"}, "position: not a hex quantity of at most 32 bits"),
        ({"position": "0x100000000"}, "position: not a hex quantity of at most 32 bits"),
        ({"position": 3}, "position: not a hex quantity of at most 32 bits"),
        ({"txHash": "0x12"}, "txHash: not 32 bytes of hex"),
        ({"signature": HONEST["signature"] + "00"}, "signature: not 65 bytes of hex"),
        ({"chainId": "0x1"}, "chainId: differs from domain.chainId"),
        ({"domain": {**HONEST["domain"], "name": "Rollup"}}, 'domain.name: not "Rollup Sequencer"'),
        (
            {"flashblock": {**HONEST["flashblock"], "term": None}},
            "flashblock.term: not a hex quantity of at most 64 bits",
        ),
        ({"flashblock": []}, "flashblock: not an object"),
        ({"orderBranch": ["0x" + "00" * 32] * 33}, "orderBranch: not a list of at most 32 hashes"),
        ({"outcomeBranch": ["0x" + "00" * 32, 7]}, "outcomeBranch[1]: not 32 bytes of hex"),
        ({"attested": True}, "attested: unknown member"),
        ({"\x1b[2J": True}, "?: unknown member"),
    ],
)
def test_the_wrong_member_is_named(change: dict[str, object], fault: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(json.dumps(HONEST | change))
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[" * TEXT_LIMIT, "not JSON"),
        ('"' + "1" * 5000, "not JSON"),
        ("9" * 5000, "not JSON"),
        (" " * TEXT_LIMIT + "1", f"longer than {TEXT_LIMIT} characters"),
        ("null", "pre-confirmation: not an object"),
        ("{}", "domain: missing"),
    ],
    ids=["empty", "not UTF-8", "deep", "unfinished", "long number", "long", "null", "empty object"],
)
def test_other_texts_are_refused(text: str | bytes, fault: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(text)
    assert str(caught.value) == fault
