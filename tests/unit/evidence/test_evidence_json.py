"""Evidence as JSON: one text, read back exactly, and nothing else is read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sequencer.beacon import evidence_json
from sequencer.core.errors import Malformed
from sequencer.core.evidence import Evidence, verify
from tests.unit.evidence import vectors

CASES = [case for case in vectors.cases() if "signature:" not in case[0]]
EXAMPLES = [
    vectors.forked(vectors.AFTER_RESET[1], vectors.AFTER_RESET_LATER[1]),
    vectors.forked(vectors.MAIN[1], vectors.FORK[5]),
    vectors.contradicted(vectors.MAIN[3], [f for f in vectors.MAIN if f is not vectors.MAIN[3]]),
    vectors.batches(),
]


@pytest.mark.parametrize("evidence", [evidence for _, evidence in CASES], ids=[name for name, _ in CASES])
def test_it_is_read_back_as_it_was_written(evidence: Evidence) -> None:
    text = evidence_json.dump(evidence)
    assert evidence_json.load(text) == evidence
    assert evidence_json.dump(evidence_json.load(text)) == text


@pytest.mark.parametrize("evidence", EXAMPLES, ids=["E1 root", "E1 links", "E2", "E3"])
def test_each_member_doctored_in_turn_is_refused_or_proves_nothing(evidence: Evidence) -> None:
    original = verify(evidence)
    assert original.valid
    tried = 0
    for doctored in _doctored(evidence_json.to_json(evidence)):
        tried += 1
        try:
            parsed = evidence_json.parse(doctored)
        except Malformed:
            continue
        assert parsed != evidence
        verdict = verify(parsed, evidence.domain)
        assert not verdict.valid or verdict.offender != original.offender, doctored
    assert tried > 30


@pytest.mark.parametrize("evidence", EXAMPLES, ids=["E1 root", "E1 links", "E2", "E3"])
def test_a_member_too_many_or_too_few_is_refused(evidence: Evidence) -> None:
    for path in _objects(evidence_json.to_json(evidence)):
        for change in (lambda inner: inner.popitem(), lambda inner: inner.update(surplus="0x1")):
            document = evidence_json.to_json(evidence)
            inner: Any = document
            for step in path:
                inner = inner[step]
            change(inner)
            with pytest.raises(Malformed):
                evidence_json.parse(document)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"kind": "E4"}', "kind"),
        ('{"kind": []}', "kind"),
        ('{"kind": "E3", "domain": {}}', "lacks a"),
    ],
)
def test_what_is_no_evidence_is_refused(text: str, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        evidence_json.load(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [("reset", hex(2**32)), ("blockNumber", hex(2**64)), ("index", "1"), ("parent", "0x00"), ("term", "0x01")],
)
def test_a_field_that_does_not_fit_its_type_is_refused_by_its_path(name: str, value: str) -> None:
    document = evidence_json.to_json(EXAMPLES[1])
    document["links"][2]["" + name] = value
    with pytest.raises(Malformed, match=rf"links\[2\]: {name}: "):
        evidence_json.parse(document)


def _doctored(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document with one leaf changed, each in turn."""
    for path, value in _leaves(document):
        changed = json.loads(json.dumps(document))
        inner = changed
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = _other(value)
        yield changed


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, str):
        yield path, value
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(inner, (*path, key))


def _objects(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _objects(inner, (*path, key))


def _other(value: str) -> str:
    last = "0" if value[-1:] != "0" else "1"
    return value[:-1] + last if value != "0x" else "0x00"
