"""One table of doctored pre-confirmations of a real node, refused by all four verifiers with the same words."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sequencer.cli.main import run as run_command
from sequencer.preconf.verify import Verification, known_chain, verify_json
from sequencer.web import build
from tests.devnet import Devnet
from tests.preconfirmations import Document, doctored, signed_by_an_outsider

PAGE = Path(build.__file__).parent / "verify.html"
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "verify.md"


@pytest.fixture(scope="module")
def table(promise: Document) -> list[Any]:
    """Every doctored form of the node's promise."""
    return [*doctored(promise), signed_by_an_outsider(promise)]


@pytest.fixture(scope="module")
def texts(promise: Document, table: list[Any]) -> list[str]:
    """The honest promise first, then the doctored ones."""
    return [json.dumps(promise), *(case.text for case in table)]


@pytest.fixture(scope="module")
def reports(texts: list[str], chain: Document) -> list[Verification]:
    """What the Python function says of each."""
    known = known_chain({"domain": chain["domain"]}, chain["sequencers"])
    return [verify_json(text, chain=known) for text in texts]


def test_python_refuses_each(reports: list[Verification], table: list[Any]) -> None:
    assert [(check.ok, check.name) for check in reports[0].checks if check.reason] == [(True, "posted")]
    assert len(table) > 300
    assert [case.name for case, report in zip(table, reports[1:], strict=True) if report.valid] == []


def test_javascript_refuses_each_with_the_same_words(
    run_script: Callable[..., Any], texts: list[str], chain: Document, reports: list[Verification]
) -> None:
    assert run_script("preconf_js.mjs", {"chain": chain, "texts": texts}) == [report.to_json() for report in reports]


def test_javascript_reads_the_genesis_file_too(
    run_script: Callable[..., Any], devnet: Devnet, texts: list[str], reports: list[Verification]
) -> None:
    genesis = Path(devnet.info["genesisFile"]).read_text()
    told = run_script("preconf_js.mjs", {"chain": genesis, "texts": texts})
    assert [report["valid"] for report in told] == [report.valid for report in reports]


def test_the_command_refuses_each(
    devnet: Devnet,
    texts: list[str],
    reports: list[Verification],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "promise.json"
    for text, report in zip(texts, reports, strict=True):
        file.write_text(text, encoding="utf-8")
        code = run_command(["preconf", "verify", str(file), "--genesis", devnet.info["genesisFile"], "--json"])
        assert json.loads(capsys.readouterr().out) == report.to_json()
        assert code == (0 if report.valid else 1)


def test_viem_agrees_about_every_signature(
    run_script: Callable[..., Any], promise: Document, table: list[Any], reports: list[Verification]
) -> None:
    """Our rules are stricter in form (low s, v 27 or 28) and in nothing else."""
    cases = [(case, report.checks[0].ok) for case, report in zip(table, reports[1:], strict=True) if case.well_formed]
    told = run_script("preconf_viem.mjs", [promise, *(case.document for case, _ in cases)])
    assert told[0] is True
    for (case, ours), theirs in zip(cases, told[1:], strict=True):
        assert ours == theirs or (case.stricter and theirs and not ours), case.name


@pytest.mark.timeout(240)
@pytest.mark.parametrize("served", [False, True], ids=["from a disk", "from the node"])
def test_the_page_refuses_each(
    served: bool,
    devnet: Devnet,
    browser: str,
    run_script: Callable[..., Any],
    texts: list[str],
    chain: Document,
    reports: list[Verification],
    tmp_path: Path,
) -> None:
    file = tmp_path / "promise.json"
    file.write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "result": json.loads(texts[0])}))
    url = devnet.url + "/verify" if served else PAGE.as_uri()
    # The second round is about being served; a sample is enough for it.
    step = 12 if served else 1
    given = {"chain": json.dumps(chain), "texts": texts[::step], "file": str(file), "shots": None}
    used = run_script("preconf_page.mjs", given, browser, url)
    shown = [{"valid": report["valid"], "checks": report["checks"]} for report in used["reports"]]
    assert shown == [report.to_json() for report in reports[::step]]
    assert used["reports"][0]["verdict"] == "This promise holds"
    assert used["complaints"] == []
    assert used["requests"] == [url]
    _check_steps(used["steps"])


def _check_steps(steps: dict[str, Any]) -> None:
    """The page is empty at first, is used by keyboard, takes files, and says what is wrong beside the field."""
    assert steps["empty"] is False
    assert steps["stops"] == ["promise", "file", "example", "clear", "summary"]
    assert (steps["cleared"], steps["focusAfterClear"]) == (False, "promise")
    for way in ("example", "file", "dropped"):
        assert steps[way]["verdict"] == "Sound, but by whom?", way
        assert [check["ok"] for check in steps[way]["checks"]] == [True] * 5
    assert (steps["chainFault"], steps["chainInvalid"]) == ("sequencers[0]: not 20 bytes of hex", "true")
    assert steps["chainFaultGone"] == ""
    assert steps["sidewaysScroll"] is False


def test_cast_takes_the_types_of_the_documentation(cast: Path, promise: Document, tmp_path: Path) -> None:
    (types,) = re.findall(r"```json\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    typed = {"types": json.loads(types), "primaryType": "Flashblock", "domain": promise["domain"]}
    for flashblock, code in (
        (promise["flashblock"], 0),
        ({**promise["flashblock"], "term": "0xffff"}, 1),
    ):
        file = tmp_path / "typed.json"
        file.write_text(json.dumps({**typed, "message": flashblock}))
        command = [str(cast), "wallet", "verify", "--data", "--from-file", "--address", promise["signer"]]
        done = subprocess.run([*command, str(file), promise["signature"]], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
