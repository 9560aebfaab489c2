"""State tests on the reference rules: no process, no files, the same transition as the engine."""

from collections.abc import Mapping

from execution.evm.reference import transition
from execution.evm.reference.genesis_state import write_accounts
from execution.evm.reference.rules import RULES
from execution.evm.reference.state import StateTries, StateView
from execution.evm.reference.transition import Call
from execution.evm.reference.wire import pack_transaction
from execution.evm.reference.world import ExecutionContext, World
from execution.statetest import CaseBlock
from sequencer.core.errors import Rejected
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.keccak import keccak256
from sequencer.core.receipt import Log
from sequencer.core.transaction import RecoveredTransaction
from sequencer.core.types import Address, Hash32


class ReferenceStateTests:
    """A ``StateTestHost``."""

    @property
    def forks(self) -> tuple[str, ...]:
        """The forks whose rules there are."""
        return tuple(RULES)

    def run(
        self, fork: str, block: CaseBlock, accounts: Mapping[Address, GenesisAccount], transaction: RecoveredTransaction
    ) -> tuple[Hash32, tuple[Log, ...], Rejected | None]:
        """Root after the transaction, its logs, and why it was refused if it was."""
        rules = RULES[fork]
        nodes: dict[bytes, bytes] = {}
        tries = StateTries(nodes.get, nodes.__setitem__)
        root = write_accounts(tries, accounts)
        world = World(
            StateView(tries, root, _block_hash),
            _context(block, rules.blob_base_fee(block.excess_blob_gas)),
            rules.precompiles,
        )
        try:
            execution = transition.execute(world, rules, Call(*pack_transaction(transaction)), block.gas_limit)
        except Rejected as refusal:
            return root, (), refusal
        return tries.write(root, world), execution.logs if execution.succeeded else (), None


def _context(block: CaseBlock, blob_base_fee: int) -> ExecutionContext:
    return ExecutionContext(
        chain_id=block.chain_id,
        block_number=block.number,
        timestamp=block.timestamp,
        coinbase=block.coinbase,
        gas_limit=block.gas_limit,
        base_fee_per_gas=block.base_fee_per_gas,
        mix_hash=block.prev_randao,
        blob_base_fee=blob_base_fee,
    )


def _block_hash(number: int) -> Hash32:
    """What the tests take for the hash of a block that they do not have."""
    return keccak256(str(number).encode())
