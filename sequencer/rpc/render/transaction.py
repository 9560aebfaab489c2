"""Transactions as JSON: pooled, pre-confirmed, and sealed ones."""

from sequencer.core.encoding import data, quantity
from sequencer.core.transaction import AccessListEntry, Authorization, Transaction
from sequencer.core.views import Inclusion
from sequencer.rpc.render.block_hash import block_hash
from sequencer.rpc.render.json import Json

_UNPLACED: Json = {"blockHash": None, "blockNumber": None, "blockTimestamp": None, "transactionIndex": None}


def included_transaction(inclusion: Inclusion) -> Json:
    """A transaction in its block, sealed or open."""
    block = inclusion.block
    return placed_transaction(
        inclusion.transaction,
        block_hash(block),
        block.number,
        block.timestamp,
        block.base_fee_per_gas,
        inclusion.position,
    )


def placed_transaction(
    transaction: Transaction, hash_hex: str, number: int, timestamp: int, base_fee_wei: int, position: int
) -> Json:
    """A transaction at a place that the caller knows already; a block renders thousands."""
    return {
        "blockHash": hash_hex,
        "blockNumber": quantity(number),
        "blockTimestamp": quantity(timestamp),
        "transactionIndex": quantity(position),
        **_body(transaction, effective_gas_price(transaction, base_fee_wei)),
    }


def pooled_transaction(transaction: Transaction) -> Json:
    """A transaction that has no place yet."""
    return {**_UNPLACED, **_body(transaction, transaction.max_fee_per_gas)}


def effective_gas_price(transaction: Transaction, base_fee_wei: int) -> int:
    """What is paid per gas, in wei (EIP-1559). Legacy transactions carry their price in both fee fields."""
    return min(transaction.max_fee_per_gas, base_fee_wei + transaction.max_priority_fee_per_gas)


def _body(transaction: Transaction, gas_price: int) -> Json:
    kind = transaction.type
    to = transaction.to
    fields: Json = {
        "hash": data(transaction.hash),
        "type": quantity(kind),
        "from": data(transaction.sender),
        "to": None if to is None else data(to),
        "nonce": quantity(transaction.nonce),
        "gas": quantity(transaction.gas_limit),
        "gasPrice": quantity(gas_price),
        "value": quantity(transaction.value),
        "input": data(transaction.data),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
    }
    if kind == 0:
        chain_id = transaction.chain_id
        if chain_id is None:
            signed = transaction.r or transaction.s
            fields["v"] = quantity(27 + transaction.y_parity if signed else 0)
        else:
            fields["chainId"] = quantity(chain_id)
            fields["v"] = quantity(35 + 2 * chain_id + transaction.y_parity)
        return fields
    parity = quantity(transaction.y_parity)
    fields["chainId"] = quantity(transaction.chain_id or 0)
    fields["v"] = parity
    fields["yParity"] = parity
    fields["accessList"] = access_list(transaction.access_list)
    if kind >= 2:
        fields["maxFeePerGas"] = quantity(transaction.max_fee_per_gas)
        fields["maxPriorityFeePerGas"] = quantity(transaction.max_priority_fee_per_gas)
    if kind == 3:
        fields["maxFeePerBlobGas"] = quantity(transaction.max_fee_per_blob_gas)
        fields["blobVersionedHashes"] = [data(item) for item in transaction.blob_hashes]
    if kind == 4:
        fields["authorizationList"] = [authorization(item) for item in transaction.authorizations]
    return fields


def access_list(entries: tuple[AccessListEntry, ...]) -> list[Json]:
    """An EIP-2930 access list."""
    return [{"address": data(e.address), "storageKeys": [data(key) for key in e.storage_keys]} for e in entries]


def authorization(item: Authorization) -> Json:
    """A signed EIP-7702 authorization."""
    return {
        "chainId": quantity(item.chain_id),
        "address": data(item.address),
        "nonce": quantity(item.nonce),
        "yParity": quantity(item.y_parity),
        "r": quantity(item.r),
        "s": quantity(item.s),
    }
