"""Both engines compute one block 0 from any accounts, whether these are in columns or not."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sequencer.core.genesis import Genesis
from sequencer.core.genesis_accounts import GenesisAccount, GenesisAccounts
from sequencer.core.types import Address, Hash32
from sequencer.genesis_block import genesis_header
from tests.conformance.execution.chains import genesis

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

from execution.evm.native.engine import NativeEngine

addresses = st.binary(min_size=20, max_size=20).map(Address)
words = st.binary(min_size=32, max_size=32).map(Hash32)
balances = st.integers(0, 2**256 - 1)
accounts = st.dictionaries(
    addresses,
    st.builds(GenesisAccount, balances)
    | st.builds(
        GenesisAccount, balances, st.integers(1, 2**64 - 2), st.binary(max_size=40), st.dictionaries(words, words)
    ),
    max_size=40,
)


@given(accounts)
@example({Address(bytes(20)): GenesisAccount(nonce=1, code=b"\xef\x01")})  # no delegation, though it begins like one
@settings(max_examples=40, deadline=None)
def test_both_engines_make_the_same_block(of: dict[Address, GenesisAccount]) -> None:
    made = genesis()
    single, columns = (Genesis(made.spec, made.timestamp, each) for each in (of, GenesisAccounts.of(of)))
    expected = genesis_header(single)
    assert genesis_header(columns) == expected
    with tempfile.TemporaryDirectory() as folder:
        for given_ in (columns, single):  # the second finds what the first has made
            engine = NativeEngine(Path(folder))
            assert engine.open(given_) == expected
            engine.close()
