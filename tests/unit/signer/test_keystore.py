"""Key files: encrypted, private to their owner, never written over, and silent about what they hold."""

import json
import stat
from pathlib import Path

import pytest
from eth_account import Account

from sequencer.core import secp256k1
from sequencer.core.errors import ConfigError
from sequencer.signer import keystore
from sequencer.signer.local import new_private_key

KEY = bytes(range(1, 33))
PASSWORD = "correct horse"
FAST = 2


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_new_file_is_private_and_opens_again(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    address = keystore.create(file, KEY, PASSWORD, work=FAST)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keystore.decrypt(file, PASSWORD) == KEY
    assert address == keystore.address_in(file) == secp256k1.address_of_private_key(KEY)
    assert list(tmp_path.iterdir()) == [file]


def test_other_wallets_read_ours_and_we_read_theirs(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    keystore.create(file, KEY, PASSWORD, work=FAST)
    assert bytes(Account.decrypt(file.read_text(), PASSWORD)) == KEY
    theirs = private(tmp_path / "theirs", json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=2)))
    assert keystore.decrypt(theirs, PASSWORD) == KEY


def test_the_work_factor_of_real_files_is_the_usual_one(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    keystore.create(file, KEY, PASSWORD)
    assert json.loads(file.read_text())["crypto"]["kdfparams"]["n"] == 2**18


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    file = private(tmp_path / "key.json", "precious")
    with pytest.raises(ConfigError, match="not written over"):
        keystore.create(file, KEY, PASSWORD, work=FAST)
    assert file.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    file = private(tmp_path / "key.json", "x")
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        keystore.read_private(file)


def test_a_wrong_password_is_told_apart_from_a_broken_file(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    keystore.create(file, KEY, PASSWORD, work=FAST)
    with pytest.raises(ConfigError, match="the password is wrong") as caught:
        keystore.decrypt(file, "hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version": 3}', '{"version": 9, "crypto": {}}', "\x00"])
def test_what_is_no_keystore_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="not a version 3 keystore"):
        keystore.decrypt(private(tmp_path / "key.json", text), PASSWORD)
    assert keystore.address_in(tmp_path / "key.json") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 1},
        {"version": 2},
        {"version": 4},
        {"version": "3"},
        {"version": None},
        {"version": 3.5},
        {"crypto": None},
        {"kdf": "argon2id"},
        {"kdf": "bcrypt"},
        {"kdf": ""},
        {"kdf": None},
        {"kdf": 7},
        {"kdf": ["scrypt"]},
        {"kdf": "pbkdf2"},
        {"kdfparams": {}},
        {"kdfparams": None},
        {"kdfparams": {"dklen": 32, "n": 3, "r": 1, "p": 8, "salt": "00" * 16}},
        {"kdfparams": {"dklen": 32, "n": 2, "r": 1, "p": 0, "salt": "00" * 16}},
        {"kdfparams": {"dklen": 32, "n": 2**62, "r": 8, "p": 1, "salt": "00" * 16}},
        {"kdfparams": {"dklen": 32, "n": 2, "r": 1, "p": 8, "salt": "not hex"}},
        {"cipher": "aes-256-gcm"},
        {"cipher": None},
        {"cipherparams": {}},
        {"cipherparams": {"iv": "zz"}},
        {"ciphertext": "00"},
        {"mac": None},
    ],
    ids=str,
)
def test_a_keystore_of_another_kind_is_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    """Its owner learns what is wrong with which file, and nothing of what is in it."""
    keystore.create(tmp_path / "whole", KEY, PASSWORD, work=FAST)
    document = json.loads((tmp_path / "whole").read_text())
    for name, value in changed.items():
        (document if name in document else document["crypto"])[name] = value
    file = private(tmp_path / "key.json", json.dumps(document))
    with pytest.raises(ConfigError, match=r"key\.json.*(not a version 3 keystore|the password is wrong)") as caught:
        keystore.decrypt(file, PASSWORD)
    assert PASSWORD not in str(caught.value)


def test_plain_keys(tmp_path: Path) -> None:
    file = tmp_path / "sequencer.key"
    keystore.write_plain_key(file, KEY)
    assert keystore.read_plain_key(file) == KEY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "0x12", "zz" * 32, "00" * 32, "ff" * 32])
def test_what_is_no_plain_key_is_refused_without_being_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="64 hex digits") as caught:
        keystore.read_plain_key(private(tmp_path / "key", text))
    assert not text or text not in str(caught.value)


def test_a_password_is_the_first_line(tmp_path: Path) -> None:
    assert keystore.read_password(private(tmp_path / "p", "one two \r\nthree\n")) == "one two "


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        keystore.read_private(tmp_path / "none")


def test_new_keys_are_valid_and_differ() -> None:
    keys = {new_private_key() for _ in range(20)}
    assert len(keys) == 20
    assert all(len(secp256k1.address_of_private_key(key)) == 20 for key in keys)
