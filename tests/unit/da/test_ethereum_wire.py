"""Bytes that cross to Ethereum: blobs, transactions, calls and events, against what others make of them."""

import contextlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import ckzg
import pytest
from eth_abi import encode as abi_encode
from eth_account import Account
from eth_account.typed_transactions.blob_transactions import blob_transaction
from hypothesis import given
from hypothesis import strategies as st

from da.ethereum import inbox, packing
from da.ethereum.deploy import creation_code
from da.ethereum.inbox import Place, Reference
from da.ethereum.journal import Journal, Sent
from da.ethereum.kzg import versioned_hash
from da.ethereum.prover import Prover
from da.ethereum.transaction import Call, Fees, sign
from sequencer.core import encoding, rlp
from sequencer.core.errors import Malformed, Temporary
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32
from sequencer.signer.local import LocalSigner
from tests.unit.da.world import Disk

ARTIFACT = Path(__file__).parents[3] / "contracts" / "artifacts" / "RollupInbox.json"
SETUP = Path(blob_transaction.__file__).parent / "kzg_trusted_setup.txt"
KEY = bytes(31) + b"\x05"
TO = Address(b"\x42" * 20)
FEES = Fees(max_fee=30 * 10**9, tip=10**9, blob_fee=7)


@given(st.binary(max_size=3000))
def test_blobs_carry_any_bytes(data: bytes) -> None:
    blob = packing.pack(data)
    assert len(blob) == packing.BLOB_BYTES
    assert not any(blob[::32])
    assert packing.unpack(blob) == data


def test_a_full_blob_and_one_byte_more() -> None:
    data = random.Random(1).randbytes(packing.CAPACITY_BYTES)
    assert packing.unpack(packing.pack(data)) == data
    with pytest.raises(Malformed):
        packing.pack(data + b"\0")


@given(st.integers(0, packing.BLOB_BYTES - 1), st.integers(1, 255))
def test_a_blob_that_was_changed_is_noticed_or_carries_other_data(at: int, flip: int) -> None:
    blob = bytearray(packing.pack(b"data"))
    blob[at] ^= flip
    with contextlib.suppress(Malformed):
        assert packing.unpack(bytes(blob)) != b"data"


def test_blobs_of_others_are_malformed() -> None:
    for blob in (b"", b"\xff" * packing.BLOB_BYTES, bytes(packing.BLOB_BYTES - 1), b"\0\x01" + bytes(131070)):
        with pytest.raises(Malformed):
            packing.unpack(blob)


def fields(raw: bytes, nested: bool = False) -> list[rlp.Decoded]:
    return rlp.decode_list(raw[1:])


def test_a_calldata_transaction_is_what_wallets_sign() -> None:
    call = Call(1337, 9, 90_000, TO, b"\x01\x00\x02")
    signed = sign(call, Fees(FEES.max_fee, FEES.tip), LocalSigner(KEY).sign)
    theirs = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 1337,
            "nonce": 9,
            "gas": 90_000,
            "to": "0x" + TO.hex(),
            "value": 0,
            "data": call.data,
            "maxFeePerGas": FEES.max_fee,
            "maxPriorityFeePerGas": FEES.tip,
        },
        KEY,
    )
    assert signed.encoded == bytes(theirs.raw_transaction)
    assert signed.network_form((), 1) == signed.encoded
    assert signed.hash == bytes(theirs.hash)


@pytest.fixture(scope="module")
def prover() -> Iterator[Prover]:
    made = Prover()
    yield made
    made.close()


def test_a_blob_transaction_is_what_wallets_sign(prover: Prover) -> None:
    sidecar = prover.sidecar(b"content", 1)
    call = Call(1337, 9, 90_000, TO, inbox.post_blobs(keccak256(b"h")), (sidecar.versioned_hash,))
    signed = sign(call, FEES, LocalSigner(KEY).sign)
    theirs = Account.sign_transaction(
        {
            "type": 3,
            "chainId": 1337,
            "nonce": 9,
            "gas": 90_000,
            "to": "0x" + TO.hex(),
            "value": 0,
            "data": call.data,
            "maxFeePerGas": FEES.max_fee,
            "maxPriorityFeePerGas": FEES.tip,
            "maxFeePerBlobGas": FEES.blob_fee,
        },
        KEY,
        blobs=[sidecar.blob],
    )
    assert signed.network_form((sidecar,), 1) == bytes(theirs.raw_transaction)
    assert signed.hash == keccak256(signed.encoded)


def test_wrapper_versions_and_their_proofs(prover: Prover) -> None:
    setup = ckzg.load_trusted_setup(str(SETUP), 0)
    cells_of, _ = ckzg.compute_cells_and_kzg_proofs(packing.pack(b"one"), setup)
    one = prover.sidecar(b"one", 1)
    assert ckzg.verify_cell_kzg_proof_batch([one.commitment] * 128, list(range(128)), cells_of, list(one.proofs), setup)
    zero = prover.sidecar(b"one", 0)
    assert (zero.commitment, len(zero.proofs)) == (one.commitment, 1)
    assert ckzg.verify_blob_kzg_proof(zero.blob, zero.commitment, zero.proofs[0], setup)
    assert versioned_hash(one.commitment) == one.versioned_hash == prover.versioned_hash(one.blob)

    call = Call(1, 0, 1, TO, b"", (one.versioned_hash, one.versioned_hash))
    signed = sign(call, FEES, LocalSigner(KEY).sign)
    body, version, blobs, commitments, proofs = fields(signed.network_form((one, one), 1))
    assert rlp.encode(body) == signed.encoded[1:]
    assert (version, len(blobs), len(commitments), len(proofs)) == (b"\x01", 2, 2, 256)
    assert [len(part) for part in fields(signed.network_form((zero,), 0))[1:]] == [1, 1, 1]


def test_the_prover_starts_again_after_its_process_died(prover: Prover) -> None:
    first = prover.versioned_hash(packing.pack(b"x"))
    assert prover._process is not None
    prover._process.kill()
    prover._process.wait()
    with pytest.raises(Temporary):
        prover.versioned_hash(packing.pack(b"x"))
    assert prover.versioned_hash(packing.pack(b"x")) == first


def abi() -> dict[str, dict[str, object]]:
    return {item["name"]: item for item in json.loads(ARTIFACT.read_text())["abi"] if "name" in item}


def selector(name: str) -> bytes:
    inputs = abi()[name]["inputs"]
    assert isinstance(inputs, list)
    return keccak256(f"{name}({','.join(item['type'] for item in inputs)})".encode())


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.lists(st.binary(min_size=32, max_size=32)))
def test_calls_are_those_of_the_contract(header: bytes, data: bytes, commitments: list[bytes]) -> None:
    header_hash = Hash32(header)
    assert inbox.post_blobs(header_hash) == selector("postBlobs")[:4] + abi_encode(["bytes32"], [header])
    call = inbox.post_calldata(header_hash, data)
    assert call == selector("postCalldata")[:4] + abi_encode(["bytes32", "bytes"], [header, data])
    assert inbox.read_calldata(call) == data
    types = ["bytes32", "uint8", "uint64", "bytes32[]"]
    assert inbox.post_reference(header_hash, Place.CELESTIA, 77, commitments) == selector("postReference")[
        :4
    ] + abi_encode(types, [header, 16, 77, commitments])


@given(st.binary(max_size=300))
def test_other_calls_are_malformed(call: bytes) -> None:
    with pytest.raises(Malformed):
        inbox.read_calldata(call)
    with pytest.raises(Malformed):
        inbox.read_calldata(inbox.post_calldata(keccak256(b""), b"data") + call[:1] + b"\1")


def log_json(index: int = 3, **changes: object) -> dict[str, object]:
    data = abi_encode(["uint8", "uint64", "bytes32", "address"], [1, 12, b"\x01" * 32, "0x" + TO.hex()])
    topics = [inbox.REFERENCED_TOPIC, index.to_bytes(32, "big"), b"\x07" * 32]
    return {
        "topics": [encoding.data(topic) for topic in topics],
        "data": encoding.data(data),
        "blockNumber": "0xc",
        "blockHash": "0x" + "ab" * 32,
        "logIndex": "0x2",
        "transactionHash": "0x" + "cd" * 32,
    } | changes


def test_events_are_those_of_the_contract() -> None:
    assert selector("BatchReferenced") == inbox.REFERENCED_TOPIC
    assert inbox.parse_event(log_json()) == Reference(
        3,
        Hash32(b"\x07" * 32),
        1,
        12,
        Hash32(b"\x01" * 32),
        TO,
        12,
        Hash32(b"\xab" * 32),
        2,
        Hash32(b"\xcd" * 32),
    )


@pytest.mark.parametrize(
    "changes",
    [{"topics": []}, {"topics": None}, {"data": "0x"}, {"blockNumber": None}, {"topics": ["0x" + "00" * 32] * 3}],
)
def test_other_logs_are_malformed(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        inbox.parse_event(log_json(**changes))


def test_the_artifact_can_be_deployed() -> None:
    assert len(creation_code()) > 1000


def test_the_journal_reads_back_and_forgets_what_is_long_past() -> None:
    journal = Journal(Disk())
    assert journal.highest() is None
    for nonce in range(300):
        sent = Sent(nonce, Hash32(b"\x07" * 32), Place.BLOBS, (Hash32(b"\x01" * 32),), (keccak256(b"tx"),), FEES)
        journal.put(sent)
        assert journal.get(nonce) == sent
    assert journal.highest() == 299
    assert journal.get(43) is None
    assert journal.get(44) is not None
