"""Chain constants: what every node of a rollup must agree on. They are hashed into the genesis block.

Operator settings live elsewhere (``sequencer.config``); nothing here may change while a chain lives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerSet
from sequencer.core.types import Address, Hash32

FORKS: Final = ("cancun", "prague", "osaka")
"""Hard forks in order of activation; every chain has at least the first from its genesis on."""

DEFAULT_VERIFYING_CONTRACT: Final = Address(bytes(18) + b"\x08\x01")
"""``SequencerRegistryContract`` of the Beacon Layer."""
DEFAULT_FEE_VAULT: Final = Address(bytes.fromhex("4200000000000000000000000000000000000019"))
"""Where base fees go: the address that OP Stack chains use for the same purpose."""


@dataclass(frozen=True, slots=True)
class ForkTime:
    """A fork and the block timestamp (unix seconds) from which it is in force."""

    name: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class FeeRule:
    """EIP-1559 with a floor: the base fee moves by at most 1/denominator a block and never below the minimum."""

    initial_base_fee_wei: int = 10**9
    minimum_base_fee_wei: int = 10**6
    elasticity: int = 2
    denominator: int = 8

    def next_base_fee(self, base_fee_wei: int, gas_used: int, gas_limit: int) -> int:
        """The base fee of the block after one with these figures, in wei per gas (EIP-1559)."""
        target = gas_limit // self.elasticity
        if gas_used > target:
            step = max(base_fee_wei * (gas_used - target) // target // self.denominator, 1)
            return base_fee_wei + step
        step = base_fee_wei * (target - gas_used) // target // self.denominator if target else 0
        return max(base_fee_wei - step, self.minimum_base_fee_wei)


@dataclass(frozen=True, slots=True)
class OrderingRule:
    """The declared ordering policy and its parameters, whose canonical text gives the policy id."""

    name: str = "fcfs"
    parameters: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def policy_id(self) -> Hash32:
        """keccak256 of ``name?key=value&key=value`` with the keys sorted; in every block and flashblock."""
        pairs = "&".join(f"{key}={value}" for key, value in sorted(self.parameters.items()))
        return keccak256(f"{self.name}?{pairs}".encode() if pairs else self.name.encode())


@dataclass(frozen=True, slots=True)
class CelestiaOrigin:
    """Where the chain's blobs stand on Celestia: the network's chain id, the namespace of 29 bytes, the height
    below which there are none."""

    network: str
    namespace: bytes
    start: int


@dataclass(frozen=True, slots=True)
class EthereumOrigin:
    """The settlement contract whose references order the chain's batches, and the block that it was made in."""

    chain_id: int
    inbox: Address
    start: int


@dataclass(frozen=True, slots=True)
class DaOrigin:
    """Where the chain's batches are public. With Ethereum its inbox gives their order, whichever layer holds them;
    with Celestia alone, Celestia does."""

    celestia: CelestiaOrigin | None = None
    ethereum: EthereumOrigin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSpec:
    """The constants of one rollup. Times are unix seconds or durations in seconds."""

    name: str
    chain_id: int
    vm: str = "evm"
    forks: tuple[ForkTime, ...]
    gas_limit: int
    fees: FeeRule = FeeRule()
    ordering: OrderingRule = OrderingRule()
    seed: Hash32
    fee_vault: Address = DEFAULT_FEE_VAULT
    verifying_contract: Address = DEFAULT_VERIFYING_CONTRACT
    promise_window_s: int = 3600
    sequencers: SequencerSet
    da: DaOrigin | None = None
    """None: the layer ``local``."""

    def fork_at(self, timestamp: int) -> str:
        """The fork in force at ``timestamp``."""
        return [fork.name for fork in self.forks if fork.timestamp <= timestamp][-1]

    def prev_randao(self, number: int) -> Hash32:
        """Randomness of block ``number`` without a Beacon Layer: keccak256(seed, chain id, number)."""
        return keccak256(self.seed + self.chain_id.to_bytes(32, "big") + number.to_bytes(32, "big"))
