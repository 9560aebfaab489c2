"""The receipt of arrival verifies with a wallet's own tools, and with nothing changed."""

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from sequencer.core import secp256k1
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.core.received import RECEIVED_TYPE, Received
from sequencer.core.types import Address, Signature
from sequencer.ordering import received
from sequencer.ordering.received import SignedReceived

KEY = keccak256(b"sequencer")
SIGNER = secp256k1.address_of_private_key(KEY)
DOMAIN = Domain(4242, Address(bytes(18) + b"\x08\x01"), keccak256(b"genesis"))
RECEIPT = Received(keccak256(b"transaction"), 2**40 + 7, 1_700_000_000_123)
SIGNED = SignedReceived(RECEIPT, SIGNER, secp256k1.sign(KEY, DOMAIN.digest(RECEIPT.struct_hash)))


def test_a_wallet_verifies_it() -> None:
    members = [part.split(" ") for part in RECEIVED_TYPE[len("Received(") : -1].split(",")]
    typed = {
        "domain": {
            "name": "Rollup Sequencer",
            "version": "1",
            "chainId": DOMAIN.chain_id,
            "verifyingContract": "0x" + DOMAIN.verifying_contract.hex(),
            "salt": DOMAIN.genesis_hash,
        },
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
                {"name": "salt", "type": "bytes32"},
            ],
            "Received": [{"type": kind, "name": name} for kind, name in members],
        },
        "primaryType": "Received",
        "message": {
            "txHash": RECEIPT.transaction_hash,
            "sequence": RECEIPT.sequence,
            "receivedMs": RECEIPT.received_ms,
        },
    }
    message = encode_typed_data(full_message=typed)
    assert Account.recover_message(message, signature=SIGNED.signature).lower() == "0x" + SIGNER.hex()


def test_it_survives_json() -> None:
    assert received.from_json(SIGNED.to_json()) == SIGNED
    assert received.from_json(SIGNED.to_json() | {"domain": {}}).verified(DOMAIN)


@pytest.mark.parametrize(
    "forged",
    [
        replace(SIGNED, received=replace(RECEIPT, sequence=6)),
        replace(SIGNED, received=replace(RECEIPT, received_ms=0)),
        replace(SIGNED, received=replace(RECEIPT, transaction_hash=keccak256(b"another"))),
        replace(SIGNED, signer=Address(bytes(20))),
        replace(SIGNED, signature=Signature(bytes(65))),
    ],
)
def test_nothing_in_it_can_be_changed(forged: SignedReceived) -> None:
    assert not forged.verified(DOMAIN)


def test_it_is_good_for_one_chain() -> None:
    assert not SIGNED.verified(replace(DOMAIN, chain_id=4243))


@pytest.mark.parametrize("missing", ["txHash", "sequence", "receivedMs", "signer", "signature"])
def test_json_that_lacks_something_says_what(missing: str) -> None:
    document = SIGNED.to_json()
    del document[missing]
    with pytest.raises(Malformed, match=f"a receipt lacks '{missing}'"):
        received.from_json(document)
