"""Which blocks may be published: those that another engine has executed alike, where the node has one."""

from concurrent.futures import Executor

from prometheus_client import CollectorRegistry

from sequencer.core.block import BlockRef
from sequencer.core.errors import Fatal
from sequencer.core.ports import SenderRecovery
from sequencer.halt import Halt
from sequencer.storage.blocks import BlockStore
from sequencer.stores import ChainStores
from sequencer.verification.metrics import VerificationMetrics
from sequencer.verification.reexecution import Witness
from sequencer.verification.service import Verifier


def make_verifier(
    stores: ChainStores, recovery: SenderRecovery, thread: Executor, registry: CollectorRegistry, halt: Halt
) -> Verifier | None:
    """The verifier of a chain, which halts it at the first difference. None where settings turn it off."""
    if stores.verifying_engine is None:
        return None
    return Verifier(
        genesis=stores.genesis,
        witness=Witness(stores.verifying_engine, recovery),
        chain_engine=stores.engine,
        blocks=stores.blocks,
        thread=thread,
        metrics=VerificationMetrics(registry),
        on_difference=lambda difference: halt(f"verification: {difference}"),
    )


class VerifiedBlocks:
    """One chain's. Without a verifier every block may be published."""

    def __init__(self, verifier: Verifier | None, store: BlockStore) -> None:
        self._verifier = verifier
        self._store = store

    async def until(self, block: BlockRef) -> None:
        """Until everything up to ``block`` may be published. Raises ``Fatal`` if another block was verified."""
        if self._verifier is None:
            return
        await self._verifier.reached(block.number)
        stored = self._store.header(block.number)
        if stored is None or stored.hash != block.hash:
            raise Fatal(f"block {block.number} is to be posted as 0x{block.hash.hex()}, which is not what was verified")
