"""``eth_*``: accounts, code and storage at a block."""

from collections.abc import Iterator
from contextlib import contextmanager

from sequencer.core.encoding import data, parse_address, quantity
from sequencer.core.errors import Malformed, Temporary
from sequencer.core.ports import StateAt
from sequencer.core.types import Address, Hash32
from sequencer.rpc.block_id import BlockId, Tag, block_id, state_at
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError, invalid_params
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, list_of, members, optional, storage_slot

SLOTS_LIMIT = 1_024


def read_at(chain: ServedChain, block: BlockId) -> StateAt:
    """The state that a read at ``block`` sees. Raises ``RpcError`` for a block that does not exist.

    At ``latest`` it is everything that is pre-confirmed: a wallet that holds the receipt of a transaction reads
    its effects next, and reads them at ``latest`` (ADR 003).
    """
    if block is Tag.LATEST and chain.config.preconfirmed_latest:
        return "pending"
    return state_at(chain.backend, block)


@contextmanager
def kept_history() -> Iterator[None]:
    """Says ``pruned history unavailable`` where the engine has let a state go."""
    try:
        yield
    except Temporary:
        raise RpcError(Errors.PRUNED) from None


async def balance(chain: ServedChain, address: Address, block: BlockId) -> str:
    """Wei."""
    with kept_history():
        (account,) = await chain.backend.accounts([address], read_at(chain, block))
    return quantity(account.balance_wei)


async def transaction_count(chain: ServedChain, address: Address, block: BlockId) -> str:
    """The nonce. ``pending`` counts the sender's executable transactions in the pool as well, so that wallets do
    not use a nonce twice; ``latest`` always counts what is pre-confirmed, because a wallet that has the receipt of
    its last transaction sends the next one from there (ADR 002)."""
    at = "pending" if block is Tag.LATEST else state_at(chain.backend, block)
    with kept_history():
        (account,) = await chain.backend.accounts([address], at)
    if block is Tag.PENDING:
        return quantity(chain.backend.next_nonce(address, account.nonce))
    return quantity(account.nonce)


async def code(chain: ServedChain, address: Address, block: BlockId) -> str:
    """The account's code."""
    with kept_history():
        return data(await chain.backend.code(address, read_at(chain, block)))


async def storage_at(chain: ServedChain, address: Address, slot: Hash32, block: BlockId) -> str:
    """The 32 bytes in one slot."""
    with kept_history():
        (value,) = await chain.backend.storage(address, [slot], read_at(chain, block))
    return data(value)


async def storage_values(
    chain: ServedChain, wanted: dict[Address, list[Hash32]], block: BlockId
) -> dict[str, list[str]]:
    """Many slots of many accounts at one block."""
    if not wanted:
        raise invalid_params("empty request")
    if sum(map(len, wanted.values())) > SLOTS_LIMIT:
        raise invalid_params(f"too many slots: at most {SLOTS_LIMIT}")
    at = read_at(chain, block)
    values = {}
    with kept_history():
        for address, slots in wanted.items():
            values[data(address)] = [data(value) for value in await chain.backend.storage(address, slots, at)]
    return values


def _slots_by_address(value: object) -> dict[Address, list[object]]:
    parse_slots = list_of(storage_slot, SLOTS_LIMIT)
    parsed: dict[Address, list[object]] = {}
    for address, slots in members(value).items():
        keys = parse_slots(slots)
        if not isinstance(keys, list):
            raise Malformed("expected an array")
        parsed[parse_address(address)] = keys
    return parsed


_ADDRESS = Parameter("address", parse_address)
_BLOCK = optional("block", block_id, Tag.LATEST)

METHODS = (
    Method("eth_getBalance", balance, (_ADDRESS, _BLOCK), Kind.STATE),
    Method("eth_getTransactionCount", transaction_count, (_ADDRESS, _BLOCK), Kind.STATE),
    Method("eth_getCode", code, (_ADDRESS, _BLOCK), Kind.STATE),
    Method("eth_getStorageAt", storage_at, (_ADDRESS, Parameter("slot", storage_slot), _BLOCK), Kind.STATE),
    Method("eth_getStorageValues", storage_values, (Parameter("requests", _slots_by_address), _BLOCK), Kind.CALL),
)
