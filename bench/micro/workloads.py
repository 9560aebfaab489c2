"""What the micro benchmarks work on: accounts, signed transactions and contracts, the same in every run."""

from typing import Final

from sequencer.core import rlp, secp256k1
from sequencer.core.block import Header, PayloadAttributes
from sequencer.core.chain_spec import ChainSpec, ForkTime
from sequencer.core.genesis import Genesis
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.types import ZERO_HASH, Address, Hash32

USERS: Final = 1_000
CHAIN_ID: Final = 901
GAS_LIMIT: Final = 10**12
BASE_FEE: Final = 10**9
COINBASE: Final = Address(b"\xcb" * 20)
TOKEN: Final = Address(b"\x70" * 20)
ARITHMETIC: Final = Address(b"\xa1" * 20)
KECCAK: Final = Address(b"\xa2" * 20)
FUND: Final = Address(b"\xa3" * 20)

_TRANSFER_TOPIC: Final = keccak256(b"Transfer(address,address,uint256)")
_TOKEN_HEAD: Final = bytes.fromhex(
    "335f5260405f20"  # slot of the sender: keccak256(caller . 0)
    "8054"  # its balance
    "602035"  # the amount
    "808210605f57"  # a balance that does not suffice reverts
    "90039055"  # the sender's balance is less
    "5f355f5260405f20"  # slot of the recipient
    "80546020350190556020355f52"  # its balance is more; the amount is the event's data
    "5f35337f"
)
TOKEN_CODE: Final = _TOKEN_HEAD + _TRANSFER_TOPIC + bytes.fromhex("60205fa360015f5260205ff35b5f5ffd")
"""``transfer(to, amount)`` of a token with its balances in a mapping, without the dispatch on a selector."""
ARITHMETIC_CODE: Final = bytes.fromhex(
    "5f356001"  # [rounds, 1]
    "5b675851f42d4c957f2d0267140575b1d7e3c9a50180600d1c18"  # x = x * a + c; x ^= x >> 13
    "906001900390816004575000"
)
"""Calldata word 0 rounds of a linear congruential generator and a shift."""
KECCAK_CODE: Final = bytes.fromhex("5f355b805f5260405f20602052600190038060025700")
"""Calldata word 0 rounds of hashing 64 bytes."""
FUND_CODE: Final = bytes.fromhex("5f355b805f525f5f5f5f600160205f205ff1506001018060203511600257" + "00")
"""One wei to ``filler_address(n)`` for every n from calldata word 0 up to word 1: a large state, made by a chain."""
CODES: Final = {TOKEN: TOKEN_CODE, ARITHMETIC: ARITHMETIC_CODE, KECCAK: KECCAK_CODE, FUND: FUND_CODE}


def user_key(number: int) -> bytes:
    """The private key of a user."""
    return keccak256(b"bench user %d" % number)


def user_address(number: int) -> Address:
    """Of ``user_key``."""
    return secp256k1.address_of_private_key(user_key(number))


def signed(number: int, nonce: int, to: Address, value: int = 0, data: bytes = b"", gas: int = 21_000) -> bytes:
    """A type-2 transaction of a user, raw."""
    fields: list[rlp.Item] = [
        rlp.uint(CHAIN_ID),
        rlp.uint(nonce),
        rlp.uint(10**9),
        rlp.uint(10**10),
        rlp.uint(gas),
        to,
        rlp.uint(value),
        data,
        [],
    ]
    signature = secp256k1.sign(user_key(number), keccak256(b"\x02" + rlp.encode(fields)))
    parts = [rlp.uint(signature[64] - 27), rlp.uint(int.from_bytes(signature[:32], "big"))]
    parts.append(rlp.uint(int.from_bytes(signature[32:64], "big")))
    return b"\x02" + rlp.encode([*fields, *parts])


def word(value: int) -> bytes:
    """A 32-byte word."""
    return value.to_bytes(32, "big")


def filler_address(number: int) -> Address:
    """One of the accounts that only make the state large."""
    return Address(keccak256(word(number))[12:])


def genesis(users: int, fork: str = "prague") -> Genesis:
    """Users with ether and tokens, and the contracts."""
    spec = ChainSpec(
        name="bench",
        chain_id=CHAIN_ID,
        forks=(ForkTime(fork, 0),),
        gas_limit=GAS_LIMIT,
        seed=ZERO_HASH,
        sequencers=SequencerSet(0, (SequencerInfo(COINBASE, COINBASE),)),
    )
    addresses = [user_address(number) for number in range(users)]
    accounts = {address: GenesisAccount(10**24) for address in addresses}
    accounts |= {address: GenesisAccount(10**18, nonce=1, code=code) for address, code in CODES.items()}
    tokens = {keccak256(bytes(12) + address + bytes(32)): Hash32(word(10**24)) for address in addresses}
    accounts[TOKEN] = GenesisAccount(nonce=1, code=TOKEN_CODE, storage=tokens)
    return Genesis(spec, 1_700_000_000, accounts)


def attributes(parent: Header) -> PayloadAttributes:
    """Of the block after ``parent``."""
    return PayloadAttributes(
        number=parent.number + 1,
        parent_hash=parent.hash,
        timestamp=parent.timestamp + 1,
        gas_limit=GAS_LIMIT,
        base_fee_per_gas=BASE_FEE,
        coinbase=COINBASE,
        prev_randao=ZERO_HASH,
        extra_data=ZERO_HASH,
    )
