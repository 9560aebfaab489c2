"""The node's own objects as JSON: chain constants, sequencer set, heads, batches, promises, statuses."""

from sequencer.core.block import BlockRef
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.eip712 import Domain
from sequencer.core.encoding import data, quantity
from sequencer.core.heads import Heads
from sequencer.core.membership import SequencerSet
from sequencer.core.types import Hash32
from sequencer.core.views import DataShare, OpenBlock, PostedBatch, PromiseLedger, TransactionStatus
from sequencer.rpc.render.json import Json


def transaction_status(status: TransactionStatus) -> Json:
    """``{status, times, reason?, posting?}`` with times in unix milliseconds."""
    fields: Json = {
        "status": status.status.value,
        "times": {reached.value: quantity(at_ms) for reached, at_ms in status.times_ms.items()},
    }
    if status.reason:
        fields["reason"] = status.reason
    if status.share:
        fields["posting"] = _share(status.share)
    return fields


def _share(share: DataShare) -> Json:
    """Where a transaction's data is, and its part of that batch's bytes and fee."""
    posted = share.batch
    return {
        "batch": quantity(posted.sequence),
        "layer": posted.layer,
        "height": None if posted.height is None else quantity(posted.height),
        "rawBytes": quantity(share.raw_bytes),
        "bytes": quantity(share.size_bytes),
        "fee": quantity(share.fee),
        "feeUnit": posted.fee_unit,
    }


def sync_status(heads: Heads, pending: OpenBlock | None) -> Json:
    """The three heads, and how far the open block is pre-confirmed."""
    return {
        "unsafe": _ref(heads.unsafe),
        "safe": _ref(heads.safe),
        "finalized": _ref(heads.finalized),
        "pending": None
        if pending is None
        else {
            "number": quantity(pending.attributes.number),
            "transactionCount": quantity(len(pending.transactions)),
        },
    }


def rollup_config(spec: ChainSpec, genesis_hash: Hash32) -> Json:
    """The chain's constants, and the EIP-712 domain under which its promises are signed."""
    return {
        "name": spec.name,
        "chainId": quantity(spec.chain_id),
        "genesisHash": data(genesis_hash),
        "vm": spec.vm,
        "forks": [{"name": fork.name, "timestamp": quantity(fork.timestamp)} for fork in spec.forks],
        "gasLimit": quantity(spec.gas_limit),
        "fees": {
            "initialBaseFee": quantity(spec.fees.initial_base_fee_wei),
            "minimumBaseFee": quantity(spec.fees.minimum_base_fee_wei),
            "elasticity": quantity(spec.fees.elasticity),
            "denominator": quantity(spec.fees.denominator),
        },
        "ordering": {
            "policy": spec.ordering.name,
            "parameters": dict(spec.ordering.parameters),
            "policyId": data(spec.ordering.policy_id),
        },
        "feeVault": data(spec.fee_vault),
        "verifyingContract": data(spec.verifying_contract),
        "promiseWindow": quantity(spec.promise_window_s),
        "domain": Domain(spec.chain_id, spec.verifying_contract, genesis_hash).to_json(),
    }


def sequencer_set(members: SequencerSet) -> Json:
    """Who may sequence, and how many signatures make a batch valid."""
    return {
        "epoch": quantity(members.epoch),
        "quorum": quantity(members.quorum),
        "members": [
            {"address": data(member.address), "feeRecipient": data(member.fee_recipient)} for member in members.members
        ],
    }


def batch(posted: PostedBatch) -> Json:
    """A batch and where it stands on the data-availability layer."""
    return {
        "sequence": quantity(posted.sequence),
        "hash": data(posted.header_hash),
        "firstBlock": quantity(posted.first_block),
        "lastBlock": quantity(posted.last_block),
        "dataHash": data(posted.data_hash),
        "state": posted.state,
        "layer": posted.layer,
        "height": None if posted.height is None else quantity(posted.height),
        "size": quantity(posted.size_bytes),
        "transactionCount": quantity(posted.transactions),
        "transactionBytes": quantity(posted.transaction_bytes),
        "bytesPerTransaction": quantity(posted.size_bytes // posted.transactions) if posted.transactions else "0x0",
        "fee": quantity(posted.fee),
        "feeUnit": posted.fee_unit,
        "feePerTransaction": quantity(posted.fee // posted.transactions) if posted.transactions else "0x0",
    }


def promise_ledger(ledger: PromiseLedger) -> Json:
    """What was promised and what became of it."""
    return {
        "issued": quantity(ledger.issued),
        "kept": quantity(ledger.kept),
        "broken": quantity(ledger.broken),
        "slashed": quantity(ledger.slashed),
    }


def _ref(block: BlockRef) -> Json:
    return {"number": quantity(block.number), "hash": data(block.hash)}
