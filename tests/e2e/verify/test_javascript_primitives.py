"""The JavaScript package's own Keccak-256 and secp256k1 against the libraries that the node uses."""

import random
from collections.abc import Callable
from typing import Any

from sequencer.core import secp256k1
from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.core.types import Hash32

SEED = 20


def test_the_hash_of_every_length_around_the_block_size(run_script: Callable[..., Any]) -> None:
    chance = random.Random(SEED)
    messages = [chance.randbytes(size) for size in [*range(300), 1360, 1361, 5000]]
    told = run_script("preconf_primitives.mjs", {"messages": [_hex(m) for m in messages], "signatures": []})
    assert told["digests"] == [_hex(keccak256(message)) for message in messages]


def test_the_signer_of_honest_and_of_random_signatures(run_script: Callable[..., Any]) -> None:
    chance = random.Random(SEED)
    pairs = []
    for _ in range(60):
        digest = Hash32(chance.randbytes(32))
        pairs.append((digest, bytes(secp256k1.sign(chance.randbytes(32), digest))))
        pairs.append((digest, chance.randbytes(32) + b"\x00" + chance.randbytes(31) + bytes([chance.choice((27, 28))])))
    edges = [1, 2, secp256k1.HALF_ORDER, secp256k1.HALF_ORDER + 1, secp256k1.ORDER - 1, secp256k1.ORDER, 2**256 - 1]
    for digest in (bytes(32), b"\xff" * 32, secp256k1.ORDER.to_bytes(32, "big")):
        pairs += [(Hash32(digest), _word(r) + _word(s) + b"\x1b") for r in edges for s in edges]
    signatures = [[_hex(digest), _hex(signature)] for digest, signature in pairs]
    told = run_script("preconf_primitives.mjs", {"messages": [], "signatures": signatures})
    assert told["signers"] == [_signer(digest, signature) for digest, signature in pairs]


def test_a_signature_that_leads_to_no_key(run_script: Callable[..., Any]) -> None:
    """s R = z G: the recovered point would be infinity. With R = G, r is its x, and s = z."""
    x = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
    digest = _word(12345)
    signature = _word(x) + digest + b"\x1b"
    told = run_script("preconf_primitives.mjs", {"messages": [], "signatures": [[_hex(digest), _hex(signature)]]})
    assert told["signers"] == [_signer(Hash32(digest), signature)] == ["!recovery failed"]


def _signer(digest: Hash32, signature: bytes) -> str:
    try:
        return _hex(secp256k1.recover_signature(digest, signature))
    except Malformed as error:
        return f"!{error}"


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _hex(value: bytes) -> str:
    return "0x" + bytes(value).hex()
