"""Blocks and headers as JSON, sealed and open."""

from collections.abc import Sequence
from itertools import accumulate

from sequencer.core import bloom
from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.encoding import data, quantity
from sequencer.core.keccak import EMPTY_LIST_HASH, EMPTY_TRIE_ROOT
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.views import Inclusion, OpenBlock
from sequencer.rpc.render.block_hash import UNSEALED, block_hash
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.transaction import placed_transaction

_NO_NONCE = "0x" + "00" * 8


def header(sealed: Header) -> Json:
    """A header as ``newHeads`` shows it: no transactions, no size."""
    fields: Json = {
        "number": quantity(sealed.number),
        "hash": data(sealed.hash),
        "parentHash": data(sealed.parent_hash),
        "nonce": data(sealed.nonce),
        "mixHash": data(sealed.prev_randao),
        "sha3Uncles": data(sealed.ommers_hash),
        "logsBloom": data(sealed.logs_bloom),
        "stateRoot": data(sealed.state_root),
        "miner": data(sealed.coinbase),
        "difficulty": quantity(sealed.difficulty),
        "extraData": data(sealed.extra_data),
        "gasLimit": quantity(sealed.gas_limit),
        "gasUsed": quantity(sealed.gas_used),
        "timestamp": quantity(sealed.timestamp),
        "transactionsRoot": data(sealed.transactions_root),
        "receiptsRoot": data(sealed.receipts_root),
        "baseFeePerGas": quantity(sealed.base_fee_per_gas),
    }
    if sealed.withdrawals_root is not None:
        fields["withdrawalsRoot"] = data(sealed.withdrawals_root)
    if sealed.blob_gas_used is not None:
        fields["blobGasUsed"] = quantity(sealed.blob_gas_used)
    if sealed.excess_blob_gas is not None:
        fields["excessBlobGas"] = quantity(sealed.excess_blob_gas)
    if sealed.parent_beacon_block_root is not None:
        fields["parentBeaconBlockRoot"] = data(sealed.parent_beacon_block_root)
    if sealed.requests_hash is not None:
        fields["requestsHash"] = data(sealed.requests_hash)
    return fields


def block(sealed: Block, *, full: bool) -> Json:
    """A sealed block with its transactions, whole or by hash."""
    fields = header(sealed.header)
    fields["size"] = quantity(_block_size(sealed))
    fields["transactions"] = _transactions(sealed.header, sealed.transactions, full=full)
    fields["uncles"] = []
    if sealed.header.withdrawals_root is not None:
        fields["withdrawals"] = []
    return fields


def open_block(pending: OpenBlock, *, full: bool) -> Json:
    """The open block as far as it is pre-confirmed. What only the seal will know (hash and roots) is zero."""
    attributes, outcomes = pending.attributes, pending.outcomes
    return {
        "number": quantity(attributes.number),
        "hash": UNSEALED,
        "parentHash": data(attributes.parent_hash),
        "nonce": _NO_NONCE,
        "mixHash": data(attributes.prev_randao),
        "sha3Uncles": data(EMPTY_LIST_HASH),
        "logsBloom": data(bloom.union([item.logs_bloom for item in outcomes])),
        "stateRoot": UNSEALED,
        "miner": data(attributes.coinbase),
        "difficulty": "0x0",
        "extraData": data(attributes.extra_data),
        "gasLimit": quantity(attributes.gas_limit),
        "gasUsed": quantity(outcomes[-1].cumulative_gas_used if outcomes else 0),
        "timestamp": quantity(attributes.timestamp),
        "transactionsRoot": UNSEALED,
        "receiptsRoot": UNSEALED,
        "baseFeePerGas": quantity(attributes.base_fee_per_gas),
        "withdrawalsRoot": data(EMPTY_TRIE_ROOT),
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": data(attributes.parent_beacon_block_root),
        "size": "0x0",
        "transactions": _transactions(attributes, pending.transactions, full=full),
        "uncles": [],
        "withdrawals": [],
    }


def inclusions(
    head: Header | PayloadAttributes, transactions: Sequence[Transaction], outcomes: Sequence[Outcome]
) -> list[Inclusion]:
    """Every transaction of a block at its place."""
    first_log = accumulate((len(outcome.logs) for outcome in outcomes), initial=0)
    return [
        Inclusion(head, position, first, transaction, outcome)
        for position, (first, transaction, outcome) in enumerate(zip(first_log, transactions, outcomes, strict=False))
    ]


def _transactions(
    head: Header | PayloadAttributes, transactions: Sequence[Transaction], *, full: bool
) -> list[Json] | list[str]:
    if not full:
        return [data(transaction.hash) for transaction in transactions]
    place = (block_hash(head), head.number, head.timestamp, head.base_fee_per_gas)
    return [placed_transaction(transaction, *place, index) for index, transaction in enumerate(transactions)]


def _block_size(sealed: Block) -> int:
    """Bytes of the block's RLP: header, transactions, no ommers, no withdrawals."""
    bodies = sum(_with_prefix(len(t.raw)) if t.type else len(t.raw) for t in sealed.transactions)
    withdrawals = 1 if sealed.header.withdrawals_root is not None else 0
    return _with_prefix(len(sealed.header.encoded) + _with_prefix(bodies) + 1 + withdrawals)


def _with_prefix(size: int) -> int:
    """Bytes of an RLP string or list with a payload of ``size`` bytes (a lone byte below 0x80 does not occur)."""
    return 1 + size if size < 56 else 1 + (size.bit_length() + 7) // 8 + size
