"""A chain around an engine under test: its genesis, and the life of its blocks in few words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sequencer.core import transaction
from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.calls import CallRequest, CallResult
from sequencer.core.chain_spec import ChainSpec, ForkTime
from sequencer.core.errors import Rejected
from sequencer.core.genesis import Genesis
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.ports import ExecutionEngine, StateAt
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import ZERO_HASH, Address, Hash32
from tests.conformance.execution import bytecode
from tests.conformance.execution.users import CHAIN_ID, GWEI, User

ETHER = 10**18
BASE_FEE = GWEI
GAS_LIMIT = 30_000_000
COINBASE = Address(b"\xcb" * 20)
CONTRACT_WITH_KEY = 99
"""The number of a user at whose address a contract stands."""
EXTRA_DATA = keccak256(b"policy")
BEACON_ROOTS = Address(bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02"))
HISTORY = Address(bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935"))
_BEACON_ROOTS_CODE = bytes.fromhex(
    "3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560495762001fff81069081"
    "5414603c575f5ffd5b62001fff01545f5260205ff35b5f5ffd5b62001fff42064281555f359062001fff015500"
)
_HISTORY_CODE = bytes.fromhex(
    "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff8143031160"
    "4257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
)

_NAMES = """STORE LOAD LOG LOG_AND_REVERT BLOCK_HASH ENVIRONMENT CALLER FORWARD STATIC_FORWARD DESTRUCT LOOP
    INVALID UNDERFLOW BAD_JUMP OVERFLOW"""
CONTRACTS = {name: Address(bytes(18) + b"\xc0" + bytes((at,))) for at, name in enumerate(_NAMES.split())}
"""Where the contracts of ``bytecode`` stand from genesis on."""


class EngineMaker(Protocol):
    """How one kind of engine is made, and how it takes its transactions."""

    def make(self, name: str) -> ExecutionEngine:
        """An engine with its state under this name; the same name finds the same state."""
        ...

    def transactions(self, raws: Sequence[bytes]) -> list[Transaction]:
        """Recovered transactions as this engine wants them."""
        ...


def genesis(fork: str = "prague", balance: int = 1000 * ETHER) -> Genesis:
    """Ten users with ether, the contracts of ``CONTRACTS``, and the system contracts."""
    spec = ChainSpec(
        name="engine-test",
        chain_id=CHAIN_ID,
        forks=(ForkTime(fork, 0),),
        gas_limit=GAS_LIMIT,
        seed=ZERO_HASH,
        sequencers=SequencerSet(0, (SequencerInfo(User(0).address, COINBASE),)),
    )
    accounts = {User(number).address: GenesisAccount(balance) for number in range(10)}
    accounts |= {address: GenesisAccount(nonce=1, code=getattr(bytecode, name)) for name, address in CONTRACTS.items()}
    slot = {Hash32(bytecode.word(7)): Hash32(bytecode.word(77))}
    accounts[CONTRACTS["LOAD"]] = GenesisAccount(nonce=1, code=bytecode.LOAD, storage=slot)
    accounts[User(CONTRACT_WITH_KEY).address] = GenesisAccount(balance, nonce=1, code=bytecode.STORE)
    accounts[BEACON_ROOTS] = GenesisAccount(nonce=1, code=_BEACON_ROOTS_CODE)
    accounts[HISTORY] = GenesisAccount(nonce=1, code=_HISTORY_CODE)
    return Genesis(spec, 1_700_000_000, accounts)


@dataclass
class Chain:
    """An open engine and where its chain stands."""

    engine: ExecutionEngine
    maker: EngineMaker
    genesis: Genesis
    head: Header
    users: list[User] = field(default_factory=lambda: [User(number) for number in range(10)])

    def attributes(self, **changes: object) -> PayloadAttributes:
        """Of the next block."""
        number = self.head.number + 1
        values: dict[str, object] = {
            "number": number,
            "parent_hash": self.head.hash,
            "timestamp": self.genesis.timestamp + number,
            "gas_limit": GAS_LIMIT,
            "base_fee_per_gas": BASE_FEE,
            "coinbase": COINBASE,
            "prev_randao": keccak256(b"randao %d" % number),
            "extra_data": EXTRA_DATA,
            "parent_beacon_block_root": keccak256(b"origin %d" % number),
        }
        return PayloadAttributes(**(values | changes))  # type: ignore[arg-type]

    def begin(self, **changes: object) -> None:
        self.engine.begin(self.attributes(**changes))

    def apply(self, *raws: bytes) -> list[Outcome | Rejected]:
        return self.engine.apply(self.maker.transactions(raws))

    def seal(self) -> Block:
        block = self.engine.seal()
        self.head = block.header
        return block

    def block(self, *raws: bytes, **changes: object) -> Block:
        """A whole block of transactions that all must be valid."""
        self.begin(**changes)
        for answer in self.apply(*raws):
            assert not isinstance(answer, Rejected), answer
        return self.seal()

    def execute(self, raw: bytes) -> Outcome:
        """Apply one transaction that must be valid to the open block."""
        (answer,) = self.apply(raw)
        assert not isinstance(answer, Rejected), answer
        return answer

    def refused(self, raw: bytes) -> Rejected:
        """Apply one transaction that must be refused to the open block."""
        (answer,) = self.apply(raw)
        assert isinstance(answer, Rejected), answer
        return answer

    def call(
        self, name: str, data: bytes = b"", at: StateAt = "pending", *, gas_cap: int = 10_000_000, **fields: object
    ) -> CallResult:
        """Call one of ``CONTRACTS``."""
        request = CallRequest(to=CONTRACTS[name], data=data, **fields)  # type: ignore[arg-type]
        return self.engine.call(request, at, gas_cap, 30.0)

    def balance(self, address: Address, at: StateAt = "pending") -> int:
        return self.engine.accounts([address], at)[0].balance_wei

    def slot(self, name: str, slot: int, at: StateAt = "pending") -> int:
        (value,) = self.engine.storage(CONTRACTS[name], [Hash32(bytecode.word(slot))], at)
        return int.from_bytes(value, "big")


class ReferenceMaker:
    """The reference engine, with its state in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, name: str) -> ExecutionEngine:
        from execution.evm.reference.engine import ReferenceEngine

        return ReferenceEngine(self._folder / name)

    def transactions(self, raws: Sequence[bytes]) -> list[Transaction]:
        return [transaction.recover(transaction.decode(raw)) for raw in raws]
