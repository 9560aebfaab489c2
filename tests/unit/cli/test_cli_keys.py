"""``sequencer keys``: new, import and list."""

import io
import json
import stat
from pathlib import Path

import pytest

from sequencer.cli.main import run
from sequencer.signer import keystore

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore.create, "__defaults__", (2,))


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.touch(0o600)
    file.write_text("correct horse\n")
    return file


def test_new(tmp_path: Path, password: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "key.json"
    assert run(["keys", "new", "--out", str(out), "--password-file", str(password), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file"] == str(out)
    assert keystore.address_in(out) == bytes.fromhex(document["address"][2:])
    assert len(keystore.decrypt(out, "correct horse")) == 32
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_import_from_a_file(tmp_path: Path, password: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "plain"
    source.touch(0o600)
    source.write_text(KEY + "\n")
    out = tmp_path / "key.json"
    assert run(["keys", "import", str(source), "--out", str(out), "--password-file", str(password)]) == 0
    assert capsys.readouterr().out == f"{ADDRESS}  {out}\n"
    assert keystore.decrypt(out, "correct horse").hex() == KEY[2:]


def test_import_from_standard_input(
    tmp_path: Path, password: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(KEY))
    assert run(["keys", "import", "-", "--out", str(tmp_path / "k"), "--password-file", str(password), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["address"] == ADDRESS
    monkeypatch.setattr("sys.stdin", io.StringIO("0xdeadbeef"))
    assert run(["keys", "import", "-", "--out", str(tmp_path / "l"), "--password-file", str(password)]) == 2
    assert "deadbeef" not in capsys.readouterr().err


def test_list(tmp_path: Path, password: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "new", "--out", str(tmp_path / "a.json"), "--password-file", str(password)])
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "folder").mkdir()
    capsys.readouterr()
    assert run(["keys", "list", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["keys"]
    assert [row["file"] for row in found] == [str(tmp_path / "a.json")]
    assert run(["keys", "list", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{found[0]['address']}  {found[0]['file']}\n"


@pytest.mark.parametrize("reason", ["exists", "readable", "empty", "missing"])
def test_refuses(tmp_path: Path, password: Path, capsys: pytest.CaptureFixture[str], reason: str) -> None:
    out = tmp_path / "key.json"
    match reason:
        case "exists":
            out.touch()
        case "readable":
            password.chmod(0o644)
        case "empty":
            password.write_text("\n")
        case "missing":
            password.unlink()
    assert run(["keys", "new", "--out", str(out), "--password-file", str(password)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "error: " in printed.err
    assert not out.exists() or out.read_text() == ""
