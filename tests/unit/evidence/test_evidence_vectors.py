"""The golden vectors are what the code says, every flaw is among them, and the ABI is Solidity's."""

import json
from pathlib import Path

import pytest
from eth_abi import encode as reference_encode

from sequencer.beacon import evidence_abi
from sequencer.beacon.structs import BATCH_HEADER, FLASHBLOCK, values
from sequencer.core.evidence import Fault, Flaw, verify
from tests.unit.evidence import vectors
from tests.unit.evidence.histories import KEYS, address

FILE = Path(__file__).parents[3] / "contracts" / "test" / "vectors" / "evidence.json"
CASES = list(vectors.cases())
ABI = json.loads((FILE.parents[2] / "artifacts" / "EvidenceVerifier.json").read_text())["abi"]


def test_the_file_is_what_the_code_says() -> None:
    assert FILE.read_text() == vectors.document(), f"run: python -m tests.unit.evidence.vectors > {FILE}"


def test_every_fault_is_proven_and_every_flaw_is_found() -> None:
    verdicts = [verify(evidence) for _, evidence in CASES]
    assert {verdict.fault for verdict in verdicts if verdict.valid} == set(Fault)
    assert {verdict.flaw for verdict in verdicts} == {None, *Flaw} - {Flaw.FOREIGN_DOMAIN}


@pytest.mark.parametrize(("name", "evidence"), CASES, ids=[name for name, _ in CASES])
def test_a_verdict_names_the_offender_or_the_flaw(name: str, evidence: vectors.Evidence) -> None:
    verdict = verify(evidence)
    if verdict.valid:
        assert (verdict.offender, verdict.reason) == (address(KEYS[0]), "")
        assert verdict.id
    else:
        assert (verdict.offender, verdict.id) == (None, None)
        assert verdict.reason


def test_names_differ() -> None:
    assert len({name for name, _ in CASES}) == len(CASES)


def test_selectors_are_those_of_the_compiled_contract() -> None:
    functions = {_signature(item) for item in ABI if item["type"] == "function"}
    errors = {evidence_abi.selector(_signature(item)): item["name"] for item in ABI if item["type"] == "error"}
    called = {evidence_abi.verify_call(evidence)[:4] for _, evidence in CASES}
    called |= {evidence_abi.report_call(evidence, vectors.DOMAIN.genesis_hash)[:4] for _, evidence in CASES}
    called.add(evidence_abi.commit_call(vectors.DOMAIN.genesis_hash)[:4])
    assert called <= {evidence_abi.selector(function) for function in functions}
    assert len(called) == 7
    for flaw in set(Flaw) - {Flaw.FOREIGN_DOMAIN}:
        assert errors[evidence_abi.error_selector(flaw)] == flaw.value


@pytest.mark.parametrize("fault", list(Fault))
def test_the_encoding_is_that_of_a_reference_library(fault: Fault) -> None:
    domain = "(uint256,address,bytes32)"
    promise, header = f"({FLASHBLOCK.solidity},bytes)", f"({BATCH_HEADER.solidity},bytes)"
    types = {
        Fault.E1: f"({domain},{promise},{promise},{FLASHBLOCK.solidity}[],bytes)",
        Fault.E2: f"({domain},{promise},{header},(uint32,uint64,uint32,bytes32,bytes32[])[])",
        Fault.E3: f"({domain},{header},{header})",
    }
    for _, evidence in CASES:
        if verify(evidence).fault is fault:
            assert evidence_abi.encode(evidence) == reference_encode([types[fault]], [_plain(evidence)])


def _plain(evidence: vectors.Evidence) -> tuple[object, ...]:
    d = evidence.domain
    domain = (d.chain_id, "0x" + d.verifying_contract.hex(), d.genesis_hash)

    def promise(signed: vectors.SignedPromise) -> tuple[object, ...]:
        return (tuple(values(FLASHBLOCK, signed.flashblock)), signed.signature)

    def header(signed: vectors.SignedHeader) -> tuple[object, ...]:
        return (tuple(values(BATCH_HEADER, signed.header)), signed.signature)

    if isinstance(evidence, vectors.Equivocation):
        links = [tuple(values(FLASHBLOCK, link)) for link in evidence.links]
        return (domain, promise(evidence.a), promise(evidence.b), links, evidence.root)
    if isinstance(evidence, vectors.ContradictedPromise):
        leaves = [(e.position, e.block_number, e.index, e.struct_hash, list(e.branch)) for e in evidence.leaves]
        return (domain, promise(evidence.promised), header(evidence.batch), leaves)
    return (domain, header(evidence.a), header(evidence.b))


def _signature(item: dict[str, object]) -> str:
    return f"{item['name']}({','.join(_type(argument) for argument in item['inputs'])})"  # type: ignore[attr-defined]


def _type(argument: dict[str, object]) -> str:
    kind = str(argument["type"])
    if kind.startswith("tuple"):
        inner = ",".join(_type(part) for part in argument["components"])  # type: ignore[attr-defined]
        return f"({inner}){kind.removeprefix('tuple')}"
    return kind
