"""``sequencer preconf verify`` as users type it, against a running node and what it published."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sequencer.core.preconf_json import parse
from sequencer.preconf.verify import CHECKS
from tests.devnet import Devnet
from tests.preconfirmations import OTHER_KEY, Document, sign

Verify = Callable[..., tuple[int, Any, str]]


@pytest.fixture(scope="module")
def verify(promise: Document) -> Verify:
    """Run the command on a text given at standard input: exit code, object or text printed, errors printed."""

    def run(*flags: str, text: str | None = None, source: str = "-") -> tuple[int, Any, str]:
        command = [sys.executable, "-m", "sequencer", "preconf", "verify", source, *flags]
        given = json.dumps(promise) if text is None else text
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
        return (
            done.returncode,
            json.loads(done.stdout) if "--json" in flags and done.stdout else done.stdout,
            done.stderr,
        )

    return run


def _wait_posted(devnet: Devnet, promise: Document) -> None:
    while devnet.rpc("sequencer_getTransactionStatus", promise["txHash"])["status"] not in ("safe", "finalized"):
        pass


def test_offline_with_nothing_but_the_file(verify: Verify) -> None:
    code, report, errors = verify("--json")
    assert (code, report["valid"], errors) == (0, True, "")
    assert [check["name"] for check in report["checks"]] == list(CHECKS)
    assert {check["name"] for check in report["checks"] if check["reason"]} == {"member", "posted"}


def test_what_people_read(verify: Verify, promise: Document) -> None:
    code, text, _ = verify()
    assert code == 0
    assert promise["txHash"] in text
    assert "holds  signature" in text
    assert text.endswith("This pre-confirmation holds, as far as it was checked.\n")
    code, text, _ = verify(text=json.dumps({**promise, "position": "0x0"}))
    assert code == 1
    assert text.endswith("This pre-confirmation does not hold.\n")


def test_member_by_the_node(verify: Verify, devnet: Devnet) -> None:
    code, report, _ = verify("--json", "--rpc", devnet.url)
    assert (code, report["checks"][1]) == (0, {"name": "member", "ok": True, "reason": ""})


def test_the_node_did_not_sign_it(verify: Verify, devnet: Devnet, promise: Document) -> None:
    honest = parse(json.dumps(promise))
    forged = sign(honest.signed.flashblock, honest.domain, OTHER_KEY)
    text = json.dumps(
        {**promise, "signer": "0x" + forged.signer.hex(), "signature": "0x" + bytes(forged.signature).hex()}
    )
    assert verify("--json", text=text)[0] == 0
    for known in (("--rpc", devnet.url), ("--genesis", devnet.info["genesisFile"])):
        code, report, _ = verify("--json", *known, text=text)
        assert code == 1
        assert [check["name"] for check in report["checks"] if not check["ok"]] == ["member"]


def test_everything_is_proven_once_posted(verify: Verify, devnet: Devnet, promise: Document) -> None:
    _wait_posted(devnet, promise)
    code, report, _ = verify("--json", "--da", devnet.info["daDir"], "--strict")
    assert (code, report) == (
        0,
        {"valid": True, "checks": [{"name": name, "ok": True, "reason": ""} for name in CHECKS]},
    )
    assert verify("--da", devnet.info["daDir"])[1].endswith("This pre-confirmation holds, and was kept.\n")


def test_a_promise_that_the_batch_contradicts(verify: Verify, devnet: Devnet, promise: Document) -> None:
    """The sequencer's own key signs two flashblocks for one place: the published one refutes the other."""
    _wait_posted(devnet, promise)
    key = bytes.fromhex((Path(devnet.info["dataDir"]) / "sequencer.key").read_text().strip().removeprefix("0x"))
    honest = parse(json.dumps(promise))
    for change, reason in (
        ({"timestampMs": "0x1"}, "has another flashblock in its place"),
        ({"index": "0xffff"}, "has the block without this flashblock"),
    ):
        document = {**promise, "flashblock": {**promise["flashblock"], **change}}
        signed = sign(parse(json.dumps(document)).signed.flashblock, honest.domain, key)
        document["signature"] = "0x" + bytes(signed.signature).hex()
        code, report, _ = verify("--json", "--da", devnet.info["daDir"], text=json.dumps(document))
        assert code == 1
        assert [check["name"] for check in report["checks"] if not check["ok"]] == ["posted"]
        assert reason in report["checks"][4]["reason"]


def test_not_posted_yet_is_open_until_it_is_due(
    verify: Verify, devnet: Devnet, promise: Document, tmp_path: Path
) -> None:
    (tmp_path / "genesis.json").write_text(Path(devnet.info["genesisFile"]).read_text())
    code, report, _ = verify("--json", "--da", str(tmp_path))
    assert (code, report["checks"][4]["ok"]) == (0, True)
    assert report["checks"][4]["reason"].startswith("the layer ends with block 0, and block ")
    code, report, _ = verify("--json", "--da", str(tmp_path), "--strict")
    assert (code, report["checks"][4]["ok"]) == (1, False)


@pytest.mark.parametrize(
    ("flags", "source", "code", "error"),
    [
        ((), "no-such-file.json", 2, "FILE = 'no-such-file.json'"),
        (("--genesis", "no-such-file.json"), "-", 2, "no-such-file.json"),
        (("--da", "no-such-folder"), "-", 2, "no-such-folder"),
        (("--rpc", "file:///etc/passwd"), "-", 2, "is not an http or https URL"),
        (("--rpc", "http://127.0.0.1:1"), "-", 3, "cannot be reached"),
    ],
    ids=["no file", "no genesis", "no layer", "no URL", "no node"],
)
def test_what_cannot_be_asked(verify: Verify, flags: tuple[str, ...], source: str, code: int, error: str) -> None:
    exit_code, printed, errors = verify("--json", *flags, source=source)
    assert (exit_code, printed) == (code, "")
    assert error in errors


def test_a_node_of_another_kind_is_not_believed(verify: Verify, devnet: Devnet) -> None:
    code, printed, errors = verify("--json", "--rpc", devnet.info["metricsUrl"])
    assert (code, printed) == (3, "")
    assert "answers with HTTP status" in errors


def test_the_node_serves_the_page(devnet: Devnet) -> None:
    import urllib.request

    with urllib.request.urlopen(devnet.url + "/verify", timeout=10) as response:
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert b"<title>Verify a pre-confirmation</title>" in response.read()
