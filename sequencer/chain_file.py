"""Chain files: the constants from which a chain's genesis is made (``configs/chains/*.toml``).

A chain file says everything about block 0 that does not differ from one start to another; the time, the seed
and the sequencers are added when the genesis is made. Unknown members are refused, as in every file of ours.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sequencer.core import encoding
from sequencer.core.chain_spec import FORKS, ChainSpec, DaOrigin, FeeRule, ForkTime, OrderingRule
from sequencer.core.errors import ConfigError, Malformed
from sequencer.core.genesis import Genesis
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.types import ZERO_HASH, Address, Hash32

GAS_LIMIT_MAX: Final = 2**63 - 1
CHAIN_ID_MAX: Final = 2**53 - 1
"""The greatest that every wallet keeps exactly (a JSON number)."""

WEI_PER_ETHER: Final = 10**18


@dataclass(frozen=True, slots=True, repr=False)
class FundedAccount:
    """An account of the chain file whose key anyone may know."""

    address: Address
    private_key: bytes


@dataclass(frozen=True, slots=True)
class ChainFile:
    """A parsed chain file: a spec without seed and sequencers, and the accounts of block 0.

    The spec's chain id is 0 if the file leaves it to whoever makes the genesis.
    """

    spec: ChainSpec
    accounts: Mapping[Address, GenesisAccount]
    funded: tuple[FundedAccount, ...]
    contracts: Mapping[str, Address]

    def genesis(
        self,
        *,
        timestamp: int,
        seed: Hash32,
        sequencers: tuple[SequencerInfo, ...],
        chain_id: int | None = None,
        gas_limit: int | None = None,
        balances_wei: Mapping[Address, int] | None = None,
        da: DaOrigin | None = None,
    ) -> Genesis:
        """Block 0's inputs, with another chain id or gas limit and further accounts if given.

        Raises ``ConfigError``.
        """
        spec = replace(
            self.spec,
            seed=seed,
            sequencers=SequencerSet(0, sequencers),
            chain_id=check_chain_id(self.spec.chain_id if chain_id is None else chain_id),
            gas_limit=check_gas_limit(self.spec.gas_limit if gas_limit is None else gas_limit),
            da=da,
        )
        accounts = dict(self.accounts)
        for address, balance_wei in (balances_wei or {}).items():
            if address in accounts:
                raise ConfigError("account", encoding.data(address), "stands in the chain file already")
            accounts[address] = GenesisAccount(balance_wei=balance_wei)
        return Genesis(spec, timestamp, accounts)


def configs_dir() -> Path:
    """The folder of the files that come with the node: inside the installed package, or of the source tree."""
    package = Path(__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def find(name_or_path: str) -> Path:
    """A chain file by the name of one that comes with the node, or by its path."""
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.is_file():
        return path
    shipped = configs_dir() / "chains" / f"{name_or_path}.toml"
    if not shipped.is_file():
        names = ", ".join(sorted(file.stem for file in shipped.parent.glob("*.toml")))
        raise ConfigError("--chain", name_or_path, f"is neither a chain file nor one of: {names}")
    return shipped


def load(path: Path) -> ChainFile:
    """The chain file at ``path``. Raises ``ConfigError`` naming the member that is wrong."""
    document = _read(path)
    try:
        include = document.pop("contracts_file", None)
        if include is not None:
            shared = _read(path.parent / include)
            _only(shared, include, {"contracts"})
            document["contracts"] = [*shared.get("contracts", []), *document.get("contracts", [])]
        return _parse(document)
    except KeyError as error:
        raise ConfigError("chain file", str(path), f"lacks {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError("chain file", str(path), str(error)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("chain file", str(path), error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("chain file", str(path), f"is not TOML: {error}") from None


def check_gas_limit(gas_limit: int) -> int:
    """A block's gas limit as consensus allows it. Raises ``ConfigError``."""
    if not 5000 <= gas_limit <= GAS_LIMIT_MAX:
        raise ConfigError("gas_limit", gas_limit, "must be from 5000 to 2^63-1")
    return gas_limit


def check_chain_id(chain_id: int) -> int:
    """A chain id that wallets can hold. Raises ``ConfigError``."""
    if not 1 <= chain_id <= CHAIN_ID_MAX:
        raise ConfigError("chain_id", chain_id, "must be from 1 to 2^53-1; give one with --chain-id")
    return chain_id


def _parse(document: Mapping[str, Any]) -> ChainFile:
    _only(
        document,
        "chain file",
        {
            "name",
            "chain_id",
            "vm",
            "gas_limit",
            "promise_window_s",
            "fees",
            "forks",
            "ordering",
            "accounts",
            "contracts",
        },
    )
    accounts: dict[Address, GenesisAccount] = {}
    funded, contracts = [], {}
    for member in document.get("accounts", []):
        _only(member, "accounts", {"address", "private_key", "balance_ether"})
        address = _new_address(accounts, member["address"])
        accounts[address] = GenesisAccount(balance_wei=member["balance_ether"] * WEI_PER_ETHER)
        if "private_key" in member:
            funded.append(FundedAccount(address, encoding.parse_data(member["private_key"], 32)))
    for member in document.get("contracts", []):
        _only(member, "contracts", {"name", "address", "nonce", "code"})
        address = _new_address(accounts, member["address"])
        code = encoding.parse_data("".join(member["code"].split()))
        accounts[address] = GenesisAccount(nonce=member["nonce"], code=code)
        contracts[member["name"]] = address
    return ChainFile(_spec(document), accounts, tuple(funded), contracts)


def _spec(document: Mapping[str, Any]) -> ChainSpec:
    forks, fees, ordering = document["forks"], document["fees"], dict(document.get("ordering", {}))
    _only(forks, "forks", set(FORKS))
    _only(fees, "fees", set(FeeRule.__dataclass_fields__))
    return ChainSpec(
        name=document["name"],
        chain_id=document.get("chain_id", 0),
        vm=document.get("vm", "evm"),
        forks=tuple(ForkTime(name, forks[name]) for name in FORKS if name in forks),
        gas_limit=check_gas_limit(document["gas_limit"]),
        fees=FeeRule(**fees),
        ordering=OrderingRule(ordering.pop("policy", "fcfs"), ordering),
        seed=ZERO_HASH,
        promise_window_s=document["promise_window_s"],
        sequencers=SequencerSet(0, ()),
    )


def _new_address(accounts: Mapping[Address, GenesisAccount], text: object) -> Address:
    address = encoding.parse_address(text)
    if address in accounts:
        raise Malformed(f"address {text} stands twice")
    return address


def _only(table: Mapping[str, Any], where: str, known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise Malformed(f"{where}: unknown member {unknown[0]}")
