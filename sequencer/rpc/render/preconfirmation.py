"""Pre-confirmations and flashblocks as JSON (protocol, section 1).

::

    {domain, chainId, txHash, position, outcomeHash, flashblock{...}, orderBranch[], outcomeBranch[], signer, signature}

The members of ``flashblock`` carry the names of the EIP-712 type, so that the object can be handed to
``eth_signTypedData_v4`` verifiers as it is; integers are hex quantities.
"""

from sequencer.core.encoding import data, quantity
from sequencer.core.flashblock import Flashblock, Preconfirmation, SignedFlashblock
from sequencer.core.views import FlashblockPublished
from sequencer.rpc.render.json import Json


def preconfirmation(promise: Preconfirmation) -> Json:
    """A user's proof, complete: it verifies with nothing else at hand."""
    return {
        "domain": promise.domain.to_json(),
        "chainId": quantity(promise.domain.chain_id),
        "txHash": data(promise.transaction_hash),
        "position": quantity(promise.position),
        "outcomeHash": data(promise.outcome_hash),
        "flashblock": flashblock(promise.signed.flashblock),
        "orderBranch": [data(sibling) for sibling in promise.order_branch],
        "outcomeBranch": [data(sibling) for sibling in promise.outcome_branch],
        **_signed_by(promise.signed),
    }


def published_flashblock(event: FlashblockPublished) -> Json:
    """A flashblock as ``newFlashblocks`` shows it: signed struct, and its transactions and outcomes by hash."""
    return {
        "flashblock": flashblock(event.signed.flashblock),
        "transactions": [data(item.transaction.hash) for item in event.inclusions],
        "outcomeHashes": [data(item.outcome.outcome_hash) for item in event.inclusions],
        **_signed_by(event.signed),
    }


def flashblock(struct: Flashblock) -> Json:
    """The thirteen fields of the EIP-712 type."""
    return {
        "epoch": quantity(struct.epoch),
        "term": quantity(struct.term),
        "reset": quantity(struct.reset),
        "blockNumber": quantity(struct.block_number),
        "index": quantity(struct.index),
        "firstPosition": quantity(struct.first_position),
        "transactionCount": quantity(struct.transaction_count),
        "parent": data(struct.parent),
        "orderRoot": data(struct.order_root),
        "outcomesRoot": data(struct.outcomes_root),
        "orderingPolicy": data(struct.ordering_policy),
        "timestampMs": quantity(struct.timestamp_ms),
        "postBy": quantity(struct.post_by),
    }


def _signed_by(signed: SignedFlashblock) -> Json:
    return {"signer": data(signed.signer), "signature": data(signed.signature)}
