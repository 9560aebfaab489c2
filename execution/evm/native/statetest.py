"""The piece of the native engine that runs state tests."""

from collections.abc import Mapping

import rollup_sequencer_native as native

from execution.evm.native.errors import rejected, translated
from execution.statetest import CaseBlock
from sequencer.core.errors import Rejected
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.receipt import Log
from sequencer.core.transaction import RecoveredTransaction
from sequencer.core.types import Address, Hash32


class NativeStateTests:
    """``StateTestHost`` on revm."""

    forks = tuple(native.FORKS)

    def run(
        self, fork: str, block: CaseBlock, accounts: Mapping[Address, GenesisAccount], transaction: RecoveredTransaction
    ) -> tuple[Hash32, tuple[Log, ...], Rejected | None]:
        rows = [
            (address, account.balance_wei, account.nonce, account.code, list(account.storage.items()))
            for address, account in accounts.items()
        ]
        with translated():
            root, logs, refusal = native.run_state_test(fork, block, rows, transaction)
        return root, logs, None if refusal is None else rejected(refusal)
