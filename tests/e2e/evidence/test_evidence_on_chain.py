"""Evidence reported to the real contract on anvil, with the command that reporters type."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import Web3

from sequencer.beacon import evidence_abi, evidence_json
from sequencer.core.evidence import Evidence, SignedPromise, verify
from tests.unit.evidence import vectors

ROOT = Path(__file__).parents[3]
ARTIFACT = json.loads((ROOT / "contracts" / "artifacts" / "EvidenceVerifier.json").read_text())
REPORTER = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"  # anvil's second account
PROVEN = {
    "E1": vectors.forked(vectors.MAIN[1], vectors.FORK[5]),
    "E2": vectors.contradicted(vectors.MAIN[3], [f for f in vectors.MAIN if f is not vectors.MAIN[3]]),
    "E3": vectors.batches(),
}


@contextmanager
def anvil(clients: Path, *flags: str) -> Iterator[Web3]:
    found = list(clients.glob("node_modules/@foundry-rs/anvil-linux-*/bin/anvil"))
    if not found:
        pytest.skip("no anvil for this machine's architecture among the npm packages")
    command = [str(found[0]), "--port", "0", "--hardfork", "prague", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        port = next(line.rsplit(":", 1)[1].strip() for line in process.stdout if line.startswith("Listening on"))
        yield Web3(Web3.HTTPProvider(f"http://127.0.0.1:{port}"))
    finally:
        process.kill()
        process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def chain(clients: Path) -> Iterator[Web3]:
    with anvil(clients) as web3:
        yield web3


def deploy(web3: Web3, reveal_delay: int = 1) -> Any:
    factory = web3.eth.contract(abi=ARTIFACT["abi"], bytecode=ARTIFACT["bytecode"])
    made = factory.constructor(reveal_delay).transact({"from": web3.eth.accounts[0]})
    receipt = web3.eth.wait_for_transaction_receipt(made)
    return web3.eth.contract(address=receipt["contractAddress"], abi=ARTIFACT["abi"])


@pytest.fixture(scope="module")
def contract(chain: Web3) -> Any:
    return deploy(chain)


def submit(
    tmp_path: Path, web3: Web3, contract: Any, evidence: Evidence, key: str = REPORTER, *flags: str
) -> tuple[int, dict[str, Any], str]:
    """Exit code, last line and standard error of ``sequencer evidence submit``."""
    file, key_file = tmp_path / "evidence.json", tmp_path / "key.hex"
    file.write_text(evidence_json.dump(evidence))
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(key)
    url = web3.provider.endpoint_uri  # type: ignore[attr-defined]
    command = [sys.executable, "-m", "sequencer", "evidence", "submit", str(file), "--rpc-url", url, "--json"]
    command += ["--contract", contract.address, "--key-file", str(key_file), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}, done.stderr


@pytest.mark.parametrize("kind", PROVEN)
def test_a_report_stands_on_chain_and_is_not_replayed(kind: str, tmp_path: Path, chain: Web3, contract: Any) -> None:
    evidence = PROVEN[kind]
    verdict = verify(evidence)
    assert verdict.id is not None
    assert verdict.offender is not None
    offender = Web3.to_checksum_address(verdict.offender)
    code, line, error = submit(tmp_path, chain, contract, evidence)
    assert (code, line) == (
        0,
        {"id": "0x" + verdict.id.hex(), "kind": kind, "offender": offender, "valid": True},
    ), error
    [event] = contract.events.FaultProven().get_logs(from_block=0, argument_filters={"id": verdict.id})
    assert (event["args"]["offender"], event["args"]["fault"]) == (offender, verdict.fault.value)
    assert event["args"]["reporter"] == Account.from_key(REPORTER).address
    assert event["args"]["chainId"] == evidence.domain.chain_id
    assert event["args"]["genesisHash"] == evidence.domain.genesis_hash

    height = chain.eth.block_number
    code, again, error = submit(tmp_path, chain, contract, evidence)
    assert (code, again) == (0, line)
    assert "reported already" in error
    assert chain.eth.block_number == height, "nothing was sent"


def test_doctored_evidence_is_refused_before_it_is_sent_and_by_the_contract(
    tmp_path: Path, chain: Web3, contract: Any
) -> None:
    honest = vectors.forked(vectors.MAIN[1], vectors.FORK[0])
    forged = replace(honest, a=SignedPromise(replace(honest.a.flashblock, term=99), honest.a.signature))
    height = chain.eth.block_number
    code, line, error = submit(tmp_path, chain, contract, forged)
    assert (code, line) == (1, {"id": None, "kind": "E1", "offender": None, "valid": False})
    assert "nothing was sent" in error
    assert chain.eth.block_number == height
    for name, evidence in (
        ("DifferentSigners", forged),
        ("OnOneChain", vectors.Equivocation(vectors.DOMAIN, honest.a, honest.a)),
    ):
        call = {"to": contract.address, "data": evidence_abi.verify_call(evidence)}
        errors = {"DifferentSigners": "DifferentSigners(address,address)", "OnOneChain": "SameObject()"}
        with pytest.raises(Exception, match="0x" + evidence_abi.selector(errors[name]).hex()):
            chain.eth.call(call)


def test_a_longer_delay_is_waited_for_and_an_interrupted_report_goes_on(tmp_path: Path, clients: Path) -> None:
    evidence = vectors.forked(vectors.MAIN[1], vectors.FORK[0])
    verdict = verify(evidence)
    with anvil(clients) as web3:
        contract = deploy(web3, reveal_delay=3)
        code, _, error = submit(tmp_path, web3, contract, evidence, REPORTER, "--timeout", "0.5")
        assert code == 3, error  # the commitment stands, and no block comes
        web3.provider.make_request("anvil_mine", ["0x2"])  # type: ignore[arg-type]
        code, line, error = submit(tmp_path, web3, contract, evidence)
        assert (code, line["valid"]) == (0, True), error
        assert len(contract.events.Committed().get_logs(from_block=0)) == 1
        assert contract.functions.reporterOf(verdict.id).call() == Account.from_key(REPORTER).address


def test_the_accused_is_refused_by_name(tmp_path: Path, chain: Web3, contract: Any) -> None:
    accused = Account.from_key(vectors.KEY)
    chain.provider.make_request("anvil_setBalance", [accused.address, hex(10**20)])  # type: ignore[arg-type]
    evidence = vectors.forked(vectors.MAIN[2], vectors.FORK[1])
    code, line, error = submit(tmp_path, chain, contract, evidence, "0x" + vectors.KEY.hex())
    assert (code, line["valid"]) == (1, False)
    assert "AccusedReporter" in error


def test_mistakes_say_what_is_wrong(tmp_path: Path, chain: Web3, contract: Any) -> None:
    class Elsewhere:
        address = "0x" + "11" * 20

    code, _, error = submit(tmp_path, chain, Elsewhere, PROVEN["E1"])
    assert code == 2
    assert "is not a contract" in error
    unreachable = Web3(Web3.HTTPProvider("http://127.0.0.1:1"))
    code, _, error = submit(tmp_path, unreachable, contract, PROVEN["E1"])
    assert code == 3
    assert "127.0.0.1:1" in error
