"""Chain files: the constants of the devnet, the contracts of every chain, and what a bad file is told."""

from pathlib import Path

import pytest
from eth_account import Account

from sequencer import chain_file
from sequencer.core import genesis as genesis_file
from sequencer.core import rlp, secp256k1
from sequencer.core.errors import ConfigError
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo
from sequencer.core.types import Address, Hash32

MNEMONIC = "test test test test test test test test test test test junk"
SEQUENCER = SequencerInfo(Address(b"\x01" * 20), Address(b"\x02" * 20))
SEED = Hash32(b"\x05" * 32)


def devnet() -> chain_file.ChainFile:
    return chain_file.load(chain_file.find("devnet"))


def test_the_accounts_are_those_of_the_usual_mnemonic() -> None:
    Account.enable_unaudited_hdwallet_features()
    funded = devnet().funded
    assert len(funded) == 10
    for index, account in enumerate(funded):
        expected = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
        assert (account.private_key, account.address) == (bytes(expected.key), bytes.fromhex(expected.address[2:]))
        assert secp256k1.address_of_private_key(account.private_key) == account.address
        stored = devnet().accounts[account.address]
        assert (stored.balance_wei, stored.nonce, stored.code) == (10_000 * 10**18, 0, b"")


def test_the_constants_of_the_devnet() -> None:
    genesis = devnet().genesis(timestamp=1_800_000_000, seed=SEED, sequencers=(SEQUENCER,))
    spec = genesis.spec
    assert spec.chain_id == 421701
    assert spec.fork_at(genesis.timestamp) == "prague"
    assert (spec.gas_limit, spec.fees.initial_base_fee_wei) == (30_000_000, 10**9)
    assert spec.ordering.name == "fcfs"
    assert spec.sequencers.member(SEQUENCER.address) == SEQUENCER
    assert genesis.timestamp == 1_800_000_000


ONE = "0x539"


@pytest.mark.parametrize(
    ("name", "address", "deployer", "price_gwei", "gas", "prefix", "signature"),
    [
        pytest.param(
            "HistoryStorage",
            "0000f90827f1c53a10cb7a02335b175320002935",
            "3462413af4609098e1e27a490f554f260213d685",
            1000,
            250_000,
            "60538060095f395ff3",
            (ONE, "0xaa12693182426612186309f02cfe8a80a0000", 0),
            id="EIP-2935",
        ),
        pytest.param(
            "BeaconRoots",
            "000f3df6d732807ef1319fb7b8bb8522d0beac02",
            "0b799c86a49deeb90402691f1041aa3af2d3c875",
            1000,
            250_000,
            "60618060095f395ff3",
            (ONE, "0x1b9b6eb1f0", 0),
            id="EIP-4788",
        ),
        pytest.param(
            "DeterministicDeployer",
            "4e59b44847b379578588920ca78fbf26c0b4956c",
            "3fab184622dc19b6109349b94811493bf2a45362",
            100,
            100_000,
            "604580600e600039806000f350fe",
            ("0x" + "22" * 32, "0x" + "22" * 32, 0),
            id="CREATE2 deployer",
        ),
        pytest.param(
            "Multicall3",
            "ca11bde05977b3631167028862be2a173976ca11",
            "05f32b3cc3888453ff71b01135b34ff8e41263f2",
            100,
            1_000_000,
            "608060405234801561001057600080fd5b50610ee0806100206000396000f3fe",
            (
                "0xedce47092c0f398cebf3ffc267f05c8e7076e3b89445e0fe50f6332273d4569b",
                "0x1b0b9d000e19b24c5869b0fc3b22b0d6fa47cd63316875cbbd577d76e6fde086",
                1,
            ),
            id="Multicall3",
        ),
    ],
)
def test_the_address_proves_the_code(
    name: str, address: str, deployer: str, price_gwei: int, gas: int, prefix: str, signature: tuple[str, str, int]
) -> None:
    """Each contract was deployed without a private key: its signed deployment, the code inside, has one sender,
    and that sender's first contract has one address. One changed bit of the code gives another address."""
    account = devnet().accounts[Address(bytes.fromhex(address))]
    numbers = [rlp.uint(0), rlp.uint(price_gwei * 10**9), rlp.uint(gas)]
    digest = keccak256(rlp.encode([*numbers, b"", b"", bytes.fromhex(prefix) + account.code]))
    r, s, parity = signature
    sender = secp256k1.recover(digest, int(r, 16), int(s, 16), parity)
    assert sender.hex() == deployer
    assert keccak256(rlp.encode([sender, rlp.uint(0)]))[12:].hex() == address
    assert account.nonce == 1
    assert devnet().contracts[name] == bytes.fromhex(address)


def test_the_operators_chain_has_the_contracts_and_no_accounts() -> None:
    chain = chain_file.load(chain_file.find("rollup"))
    assert chain.contracts == devnet().contracts
    assert chain.funded == ()
    with pytest.raises(ConfigError, match="--chain-id"):
        chain.genesis(timestamp=1, seed=SEED, sequencers=(SEQUENCER,))
    balances_wei = {Address(b"\x09" * 20): 5}
    genesis = chain.genesis(
        timestamp=1, seed=SEED, sequencers=(SEQUENCER,), chain_id=77, gas_limit=2**63 - 1, balances_wei=balances_wei
    )
    assert (genesis.spec.chain_id, genesis.spec.gas_limit) == (77, 2**63 - 1)
    assert genesis.accounts[Address(b"\x09" * 20)].balance_wei == 5


def test_the_genesis_file_gives_the_same_genesis_again() -> None:
    genesis = devnet().genesis(timestamp=5, seed=SEED, sequencers=(SEQUENCER,), gas_limit=10**9)
    assert genesis_file.load(genesis_file.dump(genesis)) == genesis


@pytest.mark.parametrize("gas_limit", [0, 4999, 2**63])
def test_refuses_a_gas_limit(gas_limit: int) -> None:
    with pytest.raises(ConfigError, match="from 5000 to"):
        devnet().genesis(timestamp=1, seed=SEED, sequencers=(SEQUENCER,), gas_limit=gas_limit)


@pytest.mark.parametrize("chain_id", [0, -1, 2**53])
def test_refuses_a_chain_id(chain_id: int) -> None:
    with pytest.raises(ConfigError, match="from 1 to"):
        devnet().genesis(timestamp=1, seed=SEED, sequencers=(SEQUENCER,), chain_id=chain_id)


def test_refuses_an_account_twice() -> None:
    balances_wei = {devnet().funded[0].address: 1}
    with pytest.raises(ConfigError, match="stands in the chain file already"):
        devnet().genesis(timestamp=1, seed=SEED, sequencers=(SEQUENCER,), balances_wei=balances_wei)


GOOD = """
name = "x"
gas_limit = 30_000_000
promise_window_s = 1
[fees]
[forks]
prague = 0
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("[fees]", ""), "lacks 'fees'"),
        (GOOD.replace("[fees]", "colour = 1\n[fees]"), "unknown member colour"),
        (GOOD.replace("[fees]", "[fees]\nprice = 1"), "fees: unknown member price"),
        (GOOD.replace("prague", "shanghai"), "forks: unknown member shanghai"),
        (GOOD.replace("30_000_000", "10"), "from 5000 to"),
        (GOOD + "[[accounts]]\naddress = '0x12'\nbalance_ether = 1\n", "length 2, want 40"),
        (GOOD + f"[[contracts]]\nname = 'c'\naddress = '0x{'1' * 40}'\nnonce = 1\ncode = '0xzz'\n", "invalid hex"),
        (GOOD + f"[[accounts]]\naddress = '0x{'1' * 40}'\nbalance_ether = 1\n" * 2, "stands twice"),
        (GOOD.replace("[fees]", "contracts_file = 'none.toml'\n[fees]"), "No such file"),
        ("name =", "is not TOML"),
    ],
)
def test_refuses_a_file(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "chain.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        chain_file.load(file)


def test_refuses_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match="one of: devnet, rollup"):
        chain_file.find("mainnet")


def test_a_funded_account_does_not_print_its_key() -> None:
    assert devnet().funded[0].private_key.hex() not in repr(devnet())
