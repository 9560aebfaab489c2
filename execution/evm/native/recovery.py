"""Sender recovery in the Rust extension: many transactions a call, on all cores, without the GIL."""

from collections.abc import Sequence
from typing import Any

import rollup_sequencer_native as native

from execution.evm.native.errors import rejected, translated
from sequencer.core.errors import Rejected
from sequencer.core.ports import EntryRules
from sequencer.core.transaction import Transaction


class NativeRecovery:
    """``SenderRecovery`` in groups of eight where the processor has AVX-512 IFMA, else with libsecp256k1.

    Without state; one object serves any number of threads.
    """

    inline_count = 128 if native.EIGHT_AT_ONCE else 64

    def recover(self, raws: Sequence[bytes], rules: EntryRules) -> list[Transaction | Rejected]:
        with translated():
            answers: list[Any] = native.recover(
                list(raws),
                rules.chain_id,
                rules.fork,
                rules.gas_limit,
                rules.minimum_fee_per_gas,
                rules.minimum_tip_per_gas,
                rules.size_limit_bytes,
            )
        return [rejected(answer) if type(answer) is tuple else answer for answer in answers]
