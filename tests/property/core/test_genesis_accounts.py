"""A genesis in columns is the same as one account by account: its text, its accounts, and what a bad one is told."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer import chain_file
from sequencer.core import encoding, genesis_accounts
from sequencer.core import genesis as genesis_file
from sequencer.core.errors import Malformed
from sequencer.core.genesis import Genesis
from sequencer.core.genesis_accounts import GenesisAccount, GenesisAccounts
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo
from sequencer.core.types import UINT64_MAX, UINT256_MAX, ZERO_HASH, Address, Hash32

addresses = st.binary(min_size=20, max_size=20).map(Address)
words = st.binary(min_size=32, max_size=32).map(Hash32)
balances = st.integers(0, UINT256_MAX)
plain = st.builds(GenesisAccount, balances)
rich = st.builds(
    GenesisAccount, balances, st.integers(0, UINT64_MAX), st.binary(max_size=9), st.dictionaries(words, words)
)
accounts = st.dictionaries(addresses, plain | rich, max_size=12)


def genesis_of(of: Mapping[Address, GenesisAccount]) -> Genesis:
    leader = SequencerInfo(Address(b"\x01" * 20), Address(b"\x02" * 20))
    made = chain_file.load(chain_file.find("devnet")).genesis(timestamp=1, seed=ZERO_HASH, sequencers=(leader,))
    return Genesis(made.spec, made.timestamp, of)


def one_by_one(alloc: Mapping[str, Any]) -> dict[Address, GenesisAccount]:
    """The accounts as they are defined, and the errors with them."""
    return {
        Address(encoding.parse_data("0x" + name.removeprefix("0x"), 20)): GenesisAccount(
            encoding.parse_quantity(document["balance"]),
            encoding.parse_quantity(document.get("nonce", "0x0"), UINT64_MAX),
            encoding.parse_data(document.get("code", "0x")),
            {
                encoding.parse_hash(slot): encoding.parse_hash(value)
                for slot, value in document.get("storage", {}).items()
            },
        )
        for name, document in alloc.items()
    }


@given(accounts)
def test_columns_are_a_mapping_like_the_one_they_are_of(of: dict[Address, GenesisAccount]) -> None:
    columns = GenesisAccounts.of(of)
    assert dict(columns.items()) == of == {address: columns[address] for address in columns}
    assert list(columns) == sorted(of)
    assert len(columns) == len(of)
    assert all(account.nonce or account.code or account.storage for account in columns.others.values())


@given(accounts, addresses)
def test_columns_have_nothing_else(of: dict[Address, GenesisAccount], other: Address) -> None:
    assert (other in GenesisAccounts.of(of)) == (other in of)


@given(accounts)
def test_the_file_is_the_json_of_all_accounts(of: dict[Address, GenesisAccount]) -> None:
    genesis = genesis_of(of)
    text = genesis_file.dump(genesis)
    document = json.loads(text)
    assert json.dumps(document, indent=2) + "\n" == text
    assert one_by_one(document["alloc"]) == of
    assert list(document["alloc"]) == [encoding.data(address) for address in sorted(of)]
    loaded = genesis_file.load(text)
    assert (loaded, genesis_file.dump(loaded)) == (genesis, text)


spelled = st.builds(
    lambda address, upper, prefix: prefix + (address.hex().upper() if upper else address.hex()),
    st.sampled_from([bytes(20), b"\xab" * 20, b"\xcd" * 20, bytes(19) + b"\x0e"]),
    st.booleans(),
    st.sampled_from(["0x", ""]),
)
bad_names = st.sampled_from(["", "0x", "0X" + "ab" * 20, "ab" * 19, "ab" * 21, "zz" * 20, "ab" * 20 + "\n" + "ab" * 20])
bad_values = st.sampled_from(
    [
        "",
        "0x",
        "0x00",
        "0x0" * 2,
        "0xg",
        "1",
        7,
        None,
        [],
        "0x1\n0x2",
        "0x1 ",
        "0x" + "f" * 65,
        "0x\u0661",
        "0x_1",
        "0x1_1",
    ]
)
values = st.sampled_from(["0x0", "0x1", "0XaB", "0x" + "f" * 64]) | bad_values
documents = st.fixed_dictionaries(
    {}, optional={"balance": values, "nonce": values, "code": values, "storage": st.just({}), "comment": st.none()}
)
good = st.fixed_dictionaries({"balance": st.sampled_from(["0x0", "0x1", "0XaB"])}, optional={"nonce": st.just("0x1")})
allocs = st.dictionaries(spelled, good, max_size=6) | st.dictionaries(
    spelled | bad_names, good | documents | st.sampled_from([None, 5, "text", [], ["balance"]]), max_size=6
)


def outcome(read: Any, *arguments: Any) -> Any:
    try:
        return dict(read(*arguments))
    except (Malformed, KeyError, TypeError, AttributeError) as error:
        return type(error), str(error)


@given(allocs)
def test_however_it_is_spelled_the_columns_hold_what_one_by_one_gives(alloc: dict[str, Any]) -> None:
    told: list[tuple[int, int]] = []
    read = outcome(genesis_accounts.accounts_from_json, alloc, lambda *at: told.append(at))
    assert read == outcome(one_by_one, alloc)
    assert all(done <= of == len(alloc) for done, of in told)


def test_portions_come_together_in_order() -> None:
    count = 2 * genesis_accounts.PORTION + 1
    of = {Address(keccak256(b"%d" % at)[:20]): GenesisAccount(at, at % 1000 // 999) for at in range(count)}
    told: list[tuple[int, int]] = []
    text = genesis_file.dump(genesis_of(of))
    loaded = genesis_file.load(text, lambda *at: told.append(at))
    assert dict(loaded.accounts.items()) == of
    assert [done for done, _ in told] == [genesis_accounts.PORTION, 2 * genesis_accounts.PORTION, count]
    document = json.loads(text)
    document["alloc"] = dict(reversed(document["alloc"].items()))
    assert genesis_file.load(json.dumps(document)) == loaded


@pytest.mark.parametrize(
    ("alloc", "words"),
    [
        ([], "genesis file: 'list' object has no attribute 'items'"),
        ({"0x12": {"balance": "0x1"}}, "hex string has length 2, want 40"),
        ({"ab" * 20: {}}, "genesis file lacks 'balance'"),
        ({"ab" * 20: {"balance": "0x01"}}, "hex number with leading zero digits"),
        ({"ab" * 20: None}, "genesis file: 'NoneType' object is not subscriptable"),
    ],
)
def test_a_bad_file_is_told_what_is_wrong(alloc: Any, words: str) -> None:
    document = json.loads(genesis_file.dump(genesis_of({})))
    with pytest.raises(Malformed) as caught:
        genesis_file.load(json.dumps(document | {"alloc": alloc}))
    assert str(caught.value) == words
