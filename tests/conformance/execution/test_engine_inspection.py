"""Proofs and access lists, which every execution engine offers, on a chain of a few blocks."""

from typing import cast

import pytest

from sequencer.core import rlp
from sequencer.core.block import Header
from sequencer.core.calls import CallRequest, CallResult
from sequencer.core.errors import DeadlineExceeded, Rejected, Temporary
from sequencer.core.inspection import AccountProof, Inspection
from sequencer.core.keccak import EMPTY_HASH, EMPTY_TRIE_ROOT, keccak256
from sequencer.core.ports import StateAt
from sequencer.core.transaction import AccessListEntry, decode
from sequencer.core.types import Address, Hash32
from tests.conformance.execution.bytecode import STORE as STORE_CODE
from tests.conformance.execution.bytecode import returning, word, words
from tests.conformance.execution.chains import COINBASE, CONTRACTS, Chain
from tests.conformance.execution.users import User

STORE, FORWARD, LOOP = (CONTRACTS[name] for name in ("STORE", "FORWARD", "LOOP"))
NOBODY = Address(b"\x33" * 20)
IDENTITY = Address(bytes(19) + b"\x04")
CAP = 10_000_000


def proven(root: Hash32, key: bytes, nodes: tuple[bytes, ...]) -> bytes | None:
    """What the nodes prove to stand under ``key``; None if they prove that nothing does. Fails on a bad proof."""
    if not nodes:
        assert root == EMPTY_TRIE_ROOT
        return None
    path = "".join(f"{byte:02x}" for byte in keccak256(key))
    expected: rlp.Decoded = root
    for node in nodes:
        assert keccak256(node) == expected
        items = rlp.decode_list(node)
        if len(items) == 17:
            expected, path = items[int(path[0], 16)], path[1:]
        else:
            encoded = rlp.as_bytes(items[0]).hex()
            rest = encoded[1:] if encoded[0] in "13" else encoded[2:]
            if not path.startswith(rest):
                return None
            if encoded[0] in "23":
                return rlp.as_bytes(items[1])
            expected, path = items[1], path[len(rest) :]
    assert expected == b"", "the proof goes on"
    return None


def proof(chain: Chain, address: Address, number: int, *slots: int) -> AccountProof:
    return cast("Inspection", chain.engine).proof(address, [Hash32(word(slot)) for slot in slots], number)


def access_list(
    chain: Chain, at: StateAt = "pending", gas_cap: int = CAP, **fields: object
) -> tuple[list[tuple[Address, tuple[int, ...]]], CallResult]:
    request = CallRequest(**fields)  # type: ignore[arg-type]
    entries, result = cast("Inspection", chain.engine).create_access_list(request, at, gas_cap, 30.0)
    listed = [(each.address, tuple(int.from_bytes(key, "big") for key in each.storage_keys)) for each in entries]
    return listed, result


def grow(chain: Chain) -> list[Header]:
    """Three blocks that write and clear slots: the first committed, the last only sealed."""
    headers = [chain.head]
    for number in (1, 2, 3):
        user = chain.users[0]
        stores = [user.send(STORE, 0, words(slot, 10 * number + slot)) for slot in range(4)]
        headers.append(chain.block(*stores, user.send(STORE, 0, words(number, 0))).header)
        if number == 1:
            chain.engine.commit(number)
    return headers


def test_a_proof_leads_from_the_state_root_to_the_value(chain: Chain) -> None:
    for number, header in enumerate(grow(chain)):
        found = proof(chain, STORE, number, *range(6))
        account = proven(header.state_root, STORE, found.nodes)
        assert account == rlp.encode([b"\x01", b"", found.storage_root, found.code_hash])
        assert found.code_hash == keccak256(STORE_CODE)
        for slot in found.slots:
            expected = rlp.encode(rlp.uint(slot.value)) if slot.value else None
            assert proven(found.storage_root, slot.slot, slot.nodes) == expected
            assert slot.value == chain.slot("STORE", slot.slot[-1], number)


def test_a_proof_of_absence(chain: Chain) -> None:
    headers = grow(chain)
    found = proof(chain, NOBODY, 2, 1)
    assert proven(headers[2].state_root, NOBODY, found.nodes) is None
    assert (found.nonce, found.balance_wei) == (0, 0)
    assert (found.storage_root, found.code_hash) == (EMPTY_TRIE_ROOT, EMPTY_HASH)
    assert [(slot.value, slot.nodes) for slot in found.slots] == [(0, ())]
    with pytest.raises(Temporary):
        proof(chain, NOBODY, 4)


def test_a_proof_of_more_slots_than_are_made_at_once(chain: Chain) -> None:
    header = chain.block(*(chain.users[0].send(STORE, 0, words(slot, slot + 1)) for slot in range(0, 200, 2))).header
    found = proof(chain, STORE, 1, *range(200))
    assert proven(header.state_root, STORE, found.nodes) is not None
    assert [slot.value for slot in found.slots] == [0 if slot % 2 else slot + 1 for slot in range(200)]
    assert all((proven(found.storage_root, slot.slot, slot.nodes) is None) == (slot.value == 0) for slot in found.slots)


def test_an_access_list_names_what_a_call_touches(chain: Chain) -> None:
    listed, result = access_list(chain, to=FORWARD, data=words(STORE, 9, 9))
    assert (listed, result.succeeded) == ([(STORE, (9,))], True)
    estimated = chain.call("FORWARD", words(STORE, 9, 9))
    assert result.gas_used < estimated.gas_used
    entries = (AccessListEntry(STORE, (Hash32(word(9)),)),)
    assert chain.call("FORWARD", words(STORE, 9, 9), access_list=entries).gas_used == result.gas_used


def test_sender_recipient_and_precompiles_are_listed_for_their_slots_alone(chain: Chain) -> None:
    assert access_list(chain, to=STORE, data=words(7, 1))[0] == [(STORE, (7,))]
    assert access_list(chain, to=User(1).address, value=0)[0] == []
    assert access_list(chain, to=FORWARD, data=words(IDENTITY, 1, 2))[0] == []
    assert access_list(chain, to=FORWARD, data=words(COINBASE, 1, 2))[0] == [(COINBASE, ())]
    created, result = access_list(chain, to=None, data=returning(STORE_CODE))
    assert (created, result.output) == ([], STORE_CODE)
    stored_at_birth = bytes.fromhex("60016002555f5ff3")
    ((address, slots),), _ = access_list(chain, to=None, sender=User(2).address, data=stored_at_birth)
    assert (address, slots) == (User(2).created(0), (2,))


def test_an_access_list_keeps_what_the_caller_listed(chain: Chain) -> None:
    given = (AccessListEntry(NOBODY, (Hash32(word(4)), Hash32(word(3)))), AccessListEntry(User(1).address, ()))
    listed, _ = access_list(chain, to=STORE, sender=User(1).address, data=words(7, 1), access_list=given)
    assert listed == sorted([(NOBODY, (3, 4)), (STORE, (7,))])


@pytest.mark.parametrize("free", [STORE, User(1).address, IDENTITY], ids=["recipient", "sender", "precompile"])
def test_slots_that_the_caller_listed_stay_whoever_they_are_of(chain: Chain, free: Address) -> None:
    """As with geth: an account that is warm from the start is left out only if it has no slots."""
    given = (AccessListEntry(free, (Hash32(word(5)), Hash32(word(5)))), AccessListEntry(free, (Hash32(word(4)),)))
    listed, result = access_list(chain, to=STORE, sender=User(1).address, data=words(7, 1), access_list=given)
    touched = {STORE: {7}}
    touched.setdefault(free, set()).update((4, 5))
    assert listed == sorted((address, tuple(sorted(slots))) for address, slots in touched.items())
    entries = tuple(AccessListEntry(address, tuple(Hash32(word(slot)) for slot in slots)) for address, slots in listed)
    again, paid = access_list(chain, to=STORE, sender=User(1).address, data=words(7, 1), access_list=entries)
    assert (again, paid.gas_used) == (listed, result.gas_used)
    assert access_list(chain, to=NOBODY, sender=User(1).address, access_list=(AccessListEntry(free, ()),))[0] == (
        [(STORE, ())] if free == STORE else []
    )


def test_signers_of_delegations_are_not_listed(chain: Chain) -> None:
    authority = User(3)
    delegation = decode(User(4).send(FORWARD, kind=4, authorizations=[authority.authorize(STORE, 0)])).authorizations
    data = words(authority.address, 5, 6)
    listed, result = access_list(chain, to=FORWARD, data=data, authorizations=delegation)
    assert result.succeeded
    assert (authority.address, (5,)) in listed


def test_what_a_reverted_frame_touched_is_listed_and_so_are_reverts_and_halts(chain: Chain) -> None:
    reverted = access_list(chain, to=FORWARD, data=words(CONTRACTS["LOG_AND_REVERT"], 1, 1))
    assert (reverted[0], reverted[1].reverted) == ([(CONTRACTS["LOG_AND_REVERT"], ())], True)
    assert access_list(chain, to=LOOP, gas_cap=50_000)[1].halt == "out of gas"


def test_an_access_list_is_of_the_state_asked_for_and_within_limits(chain: Chain) -> None:
    chain.block(chain.users[0].send(STORE, 0, words(1, 1)))
    chain.begin()
    assert access_list(chain, 0, to=STORE, data=words(2, 2))[0] == [(STORE, (2,))]
    with pytest.raises(Temporary):
        access_list(chain, 7, to=STORE)
    with pytest.raises(Rejected, match="insufficient funds"):
        access_list(chain, to=STORE, sender=NOBODY, value=1)
    request = CallRequest(to=LOOP, gas_limit=10**12)
    with pytest.raises(DeadlineExceeded):
        cast("Inspection", chain.engine).create_access_list(request, "pending", 10**12, 0.2)
