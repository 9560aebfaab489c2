"""A pre-confirmation verifies with a stock EIP-712 library, and no doctored one does."""

from dataclasses import fields, replace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from sequencer.core import secp256k1
from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import (
    FLASHBLOCK_TYPE,
    Flashblock,
    Preconfirmation,
    SignedFlashblock,
    order_leaves,
    outcome_leaves,
    verify,
)
from sequencer.core.keccak import keccak256
from sequencer.core.merkle import branch, levels, root
from sequencer.core.types import Address, Hash32, Signature

KEY = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
DOMAIN = Domain(421701, Address(bytes(18) + b"\x08\x01"), keccak256(b"genesis"))
HASHES = [keccak256(bytes([i])) for i in range(5)]
OUTCOMES = [keccak256(bytes([100 + i])) for i in range(5)]
FLASHBLOCK = Flashblock(
    epoch=1,
    term=2,
    reset=0,
    block_number=3,
    index=4,
    first_position=7,
    transaction_count=5,
    parent=keccak256(b"parent"),
    order_root=root(order_leaves(7, HASHES)),
    outcomes_root=root(outcome_leaves(7, OUTCOMES)),
    ordering_policy=keccak256(b"fcfs"),
    timestamp_ms=1_700_000_000_123,
    post_by=1_700_003_600,
)


def promise(index: int = 2) -> Preconfirmation:
    signature = secp256k1.sign(KEY, DOMAIN.digest(FLASHBLOCK.struct_hash))
    return Preconfirmation(
        domain=DOMAIN,
        transaction_hash=HASHES[index],
        position=7 + index,
        outcome_hash=OUTCOMES[index],
        signed=SignedFlashblock(FLASHBLOCK, secp256k1.address_of_private_key(KEY), signature),
        order_branch=branch(levels(order_leaves(7, HASHES)), index),
        outcome_branch=branch(levels(outcome_leaves(7, OUTCOMES)), index),
    )


def test_the_digest_is_what_a_wallet_library_signs() -> None:
    members = [part.split(" ") for part in FLASHBLOCK_TYPE[len("Flashblock(") : -1].split(",")]
    names = [field.name for field in fields(Flashblock)]
    document = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
                {"name": "salt", "type": "bytes32"},
            ],
            "Flashblock": [{"name": name, "type": kind} for kind, name in members],
        },
        "primaryType": "Flashblock",
        "domain": DOMAIN.to_json() | {"chainId": DOMAIN.chain_id, "salt": DOMAIN.genesis_hash},
        "message": {name: getattr(FLASHBLOCK, ours) for (_, name), ours in zip(members, names, strict=True)},
    }
    signable = encode_typed_data(full_message=document)
    assert keccak256(b"\x19" + signable.version + signable.header + signable.body) == DOMAIN.digest(
        FLASHBLOCK.struct_hash
    )
    signer = Account.recover_message(signable, signature=promise().signed.signature)
    assert bytes.fromhex(signer[2:]) == promise().signed.signer


@pytest.mark.parametrize("index", range(5))
def test_every_place_verifies(index: int) -> None:
    assert all(check.ok for check in verify(promise(index)))


def _wrong(value: object) -> object:
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    raise AssertionError(value)


@pytest.mark.parametrize("name", [field.name for field in fields(Flashblock)])
def test_a_doctored_flashblock_is_refused(name: str) -> None:
    doctored = replace(FLASHBLOCK, **{name: _wrong(getattr(FLASHBLOCK, name))})
    checks = verify(replace(promise(), signed=replace(promise().signed, flashblock=doctored)))
    assert not all(check.ok for check in checks)
    assert not checks[0].ok


@pytest.mark.parametrize("name", ["transaction_hash", "position", "outcome_hash"])
def test_a_doctored_claim_is_refused(name: str) -> None:
    doctored = replace(promise(), **{name: _wrong(getattr(promise(), name))})
    assert not all(check.ok for check in verify(doctored))


@pytest.mark.parametrize("name", ["order_branch", "outcome_branch"])
def test_a_doctored_branch_is_refused(name: str) -> None:
    honest = getattr(promise(), name)
    for at in range(len(honest)):
        siblings = (*honest[:at], Hash32(bytes(32)), *honest[at + 1 :])
        assert not all(check.ok for check in verify(replace(promise(), **{name: siblings})))


def test_high_s_and_odd_v_are_refused() -> None:
    signature = promise().signed.signature
    s = int.from_bytes(signature[32:64], "big")
    high = signature[:32] + (secp256k1.ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]])
    raw_v = signature[:64] + bytes([signature[64] - 27])
    for bad in (high, raw_v, signature + b"\0", b""):
        signed = replace(promise().signed, signature=Signature(bad))
        assert not verify(replace(promise(), signed=signed))[0].ok


@pytest.mark.parametrize(
    "domain",
    [
        replace(DOMAIN, chain_id=1),
        replace(DOMAIN, verifying_contract=Address(bytes(20))),
        replace(DOMAIN, genesis_hash=Hash32(bytes(32))),
    ],
)
def test_another_domain_is_refused(domain: Domain) -> None:
    assert not verify(replace(promise(), domain=domain))[0].ok
