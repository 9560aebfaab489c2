"""The signer in memory: it signs, and gives its key to nobody."""

import copy
import pickle

import pytest

from sequencer.core import secp256k1
from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.signer.local import LocalSigner

KEY = bytes(range(1, 33))


def test_signs_for_its_address() -> None:
    signer = LocalSigner(KEY)
    digest = keccak256(b"promise")
    signature = signer.sign(digest)
    assert secp256k1.recover_signature(digest, signature) == signer.address
    assert signer.sign(digest) == signature


def test_shows_its_key_nowhere() -> None:
    signer = LocalSigner(KEY)
    shown = repr(signer) + str(signer) + f"{signer!r}"
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
    assert signer.address.hex() in shown
    assert not hasattr(signer, "__dict__")
    assert KEY not in [getattr(signer, name, None) for name in dir(signer)]


def test_is_never_copied_out_of_the_process() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(LocalSigner(KEY))
    with pytest.raises(TypeError):
        copy.deepcopy(LocalSigner(KEY))


@pytest.mark.parametrize("key", [b"", bytes(32), b"\xff" * 32, bytes(31)])
def test_refuses_what_is_no_key(key: bytes) -> None:
    with pytest.raises(Malformed):
        LocalSigner(key)
