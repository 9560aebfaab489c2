"""Puts the inbox on a chain: once, when a rollup's genesis is made."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from da.errors import LayerRefused
from da.ethereum import fees
from da.ethereum.config import EthereumConfig
from da.ethereum.l1 import L1Node, NodeRefused
from da.ethereum.transaction import Call, sign
from sequencer.core.eip712 import word
from sequencer.core.encoding import parse_data
from sequencer.core.errors import Temporary
from sequencer.core.ports import Signer
from sequencer.core.types import Address

_GAS: Final = 2_500_000
_ARTIFACT: Final = "RollupInbox.json"
FORCED_DELAY_S: Final = 24 * 3600
"""Time in which a forced transaction must be taken."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A contract and the block that it was made in."""

    address: Address
    block: int


async def deploy_inbox(l1: L1Node, signer: Signer, config: EthereumConfig) -> Deployed:
    """A new inbox, paid by ``signer``. Raises ``LayerRefused``, or ``Temporary`` if it is in no block in time."""
    chain_id, market = await l1.chain_id(), await l1.market()
    nonce = await l1.nonce(signer.address, "latest")
    if await l1.nonce(signer.address, "pending") > nonce:
        raise LayerRefused(f"0x{signer.address.hex()} has transactions on their way: another poster uses its key")
    call = Call(chain_id, nonce, _GAS, Address(b""), creation_code() + word(FORCED_DELAY_S))
    offer = fees.first_offer(market, config, blobs=False)
    signed = await asyncio.to_thread(sign, call, offer, signer.sign)
    try:
        await l1.send(signed.encoded)
    except NodeRefused as refusal:
        raise LayerRefused(f"the L1 node refuses to deploy the inbox: {refusal}") from refusal
    poll_s = config.poll_interval_ms / 1000
    for _ in range(max(1, config.submit_timeout_ms // config.poll_interval_ms)):
        receipt = await l1.receipt(signed.hash)
        if receipt is not None:
            if not receipt.succeeded or receipt.contract is None:
                raise LayerRefused("the inbox could not be deployed")
            return Deployed(receipt.contract, receipt.block_number)
        await asyncio.sleep(poll_s)
    raise Temporary("the deployment of the inbox is in no block yet")


def creation_code() -> bytes:
    """The inbox as the compiler made it, from beside this file when installed, from the source tree otherwise."""
    here = Path(__file__).parent
    installed = here / _ARTIFACT
    file = installed if installed.is_file() else here.parents[1] / "contracts" / "artifacts" / _ARTIFACT
    return parse_data(json.loads(file.read_text())["bytecode"])
