"""The genesis file: chain constants and first state in one JSON document, read by every tool.

It has the shape of geth's genesis, so that other tools can read the accounts, plus a ``rollup`` member for
what is ours. The block hash covers the accounts through the state root, and the constants through
``mixHash``, which is the Keccak-256 of the canonical JSON of ``config`` and ``rollup``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sequencer.core import encoding
from sequencer.core.block import EMPTY_REQUESTS_HASH, Header
from sequencer.core.chain_spec import (
    FORKS,
    CelestiaOrigin,
    ChainSpec,
    DaOrigin,
    EthereumOrigin,
    FeeRule,
    ForkTime,
    OrderingRule,
)
from sequencer.core.errors import Malformed
from sequencer.core.genesis_accounts import GenesisAccount, OnProgress, accounts_from_json, accounts_text
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.types import UINT64_MAX, ZERO_ADDRESS, ZERO_HASH, Address, Hash32


@dataclass(frozen=True, slots=True)
class Genesis:
    """Everything a node needs in order to compute block 0 and every rule after it."""

    spec: ChainSpec
    timestamp: int
    accounts: Mapping[Address, GenesisAccount]

    def header(self, state_root: Hash32) -> Header:
        """Block 0, once the engine has computed the state root of the accounts."""
        prague = self.spec.fork_at(self.timestamp) != "cancun"
        return Header(
            parent_hash=ZERO_HASH,
            coinbase=ZERO_ADDRESS,
            state_root=state_root,
            number=0,
            gas_limit=self.spec.gas_limit,
            timestamp=self.timestamp,
            extra_data=self.spec.ordering.policy_id,
            prev_randao=keccak256(_canonical(_constants_json(self.spec)).encode()),
            base_fee_per_gas=self.spec.fees.initial_base_fee_wei,
            requests_hash=EMPTY_REQUESTS_HASH if prague else None,
        )


def dump(genesis: Genesis) -> str:
    """The genesis file's text."""
    spec = genesis.spec
    document = _constants_json(spec) | {
        "timestamp": hex(genesis.timestamp),
        "gasLimit": hex(spec.gas_limit),
        "baseFeePerGas": hex(spec.fees.initial_base_fee_wei),
        "difficulty": "0x0",
        "alloc": {},
    }
    before, after = json.dumps(document, indent=2).rsplit("{}", 1)
    entries = "".join(accounts_text(genesis.accounts))
    return "".join((before, "{", entries, "\n  }" if entries else "}", after, "\n"))


def load(text: str, on_progress: OnProgress = lambda _done, _of: None) -> Genesis:
    """The genesis in a file's text, its accounts in columns. Raises ``Malformed`` naming the member that is wrong."""
    try:
        document = orjson.loads(text)
        del text  # as large as the accounts will be, once they are in columns
    except ValueError as error:
        raise Malformed(f"genesis file is not JSON: {error}") from None
    try:
        spec = _spec_from_json(document)
        accounts = accounts_from_json(document["alloc"], on_progress)
        return Genesis(spec, encoding.parse_quantity(document["timestamp"], UINT64_MAX), accounts)
    except KeyError as error:
        raise Malformed(f"genesis file lacks {error}") from None
    except (TypeError, AttributeError) as error:
        raise Malformed(f"genesis file: {error}") from None


def _canonical(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _constants_json(spec: ChainSpec) -> dict[str, Any]:
    return {
        "config": {"chainId": spec.chain_id, **{f"{fork.name}Time": fork.timestamp for fork in spec.forks}},
        "rollup": {
            "name": spec.name,
            "vm": spec.vm,
            "gasLimit": hex(spec.gas_limit),
            "fees": {
                "initialBaseFeeWei": hex(spec.fees.initial_base_fee_wei),
                "minimumBaseFeeWei": hex(spec.fees.minimum_base_fee_wei),
                "elasticity": spec.fees.elasticity,
                "denominator": spec.fees.denominator,
            },
            "ordering": {"policy": spec.ordering.name, "parameters": dict(spec.ordering.parameters)},
            "seed": encoding.data(spec.seed),
            "feeVault": encoding.data(spec.fee_vault),
            "verifyingContract": encoding.data(spec.verifying_contract),
            "promiseWindowSeconds": spec.promise_window_s,
            "sequencers": [
                {"address": encoding.data(member.address), "feeRecipient": encoding.data(member.fee_recipient)}
                for member in spec.sequencers.members
            ],
            **({"da": _da_json(spec.da)} if spec.da else {}),
        },
    }


def _da_json(da: DaOrigin) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if da.celestia:
        namespace = encoding.data(da.celestia.namespace)
        document["celestia"] = {"network": da.celestia.network, "namespace": namespace, "start": da.celestia.start}
    if da.ethereum:
        inbox = encoding.data(da.ethereum.inbox)
        document["ethereum"] = {"chainId": da.ethereum.chain_id, "inbox": inbox, "start": da.ethereum.start}
    return document


def _da_from_json(document: Mapping[str, Any] | None) -> DaOrigin | None:
    if document is None:
        return None
    celestia, ethereum = document.get("celestia"), document.get("ethereum")
    if not celestia and not ethereum:
        raise Malformed("genesis file: rollup.da names neither celestia nor ethereum")
    return DaOrigin(
        celestia
        and CelestiaOrigin(
            str(celestia["network"]), encoding.parse_data(celestia["namespace"], 29), int(celestia["start"])
        ),
        ethereum
        and EthereumOrigin(int(ethereum["chainId"]), encoding.parse_address(ethereum["inbox"]), int(ethereum["start"])),
    )


def _spec_from_json(document: Mapping[str, Any]) -> ChainSpec:
    config, rollup = document["config"], document["rollup"]
    fees, ordering = rollup["fees"], rollup["ordering"]
    forks = tuple(ForkTime(name, int(config[f"{name}Time"])) for name in FORKS if f"{name}Time" in config)
    if not forks or forks[0].timestamp > encoding.parse_quantity(document["timestamp"], UINT64_MAX):
        raise Malformed("genesis file: config names no fork that is in force at genesis")
    return ChainSpec(
        name=rollup["name"],
        chain_id=int(config["chainId"]),
        vm=rollup["vm"],
        forks=forks,
        gas_limit=encoding.parse_quantity(rollup["gasLimit"], UINT64_MAX),
        fees=FeeRule(
            encoding.parse_quantity(fees["initialBaseFeeWei"]),
            encoding.parse_quantity(fees["minimumBaseFeeWei"]),
            int(fees["elasticity"]),
            int(fees["denominator"]),
        ),
        ordering=OrderingRule(ordering["policy"], dict(ordering["parameters"])),
        seed=encoding.parse_hash(rollup["seed"]),
        fee_vault=encoding.parse_address(rollup["feeVault"]),
        verifying_contract=encoding.parse_address(rollup["verifyingContract"]),
        promise_window_s=int(rollup["promiseWindowSeconds"]),
        sequencers=SequencerSet(
            0,
            tuple(
                SequencerInfo(encoding.parse_address(m["address"]), encoding.parse_address(m["feeRecipient"]))
                for m in rollup["sequencers"]
            ),
        ),
        da=_da_from_json(rollup.get("da")),
    )
