"""From raw bytes to transactions with senders, in Python: the recovery that needs no native engine."""

from collections.abc import Sequence

from mempool.validation import check_entry, check_envelope
from sequencer.core import transaction
from sequencer.core.errors import Rejected
from sequencer.core.ports import EntryRules
from sequencer.core.transaction import Transaction


class PythonRecovery:
    """``core.ports.SenderRecovery`` over the decoder and secp256k1 of the core.

    Stateless, so any number of threads may use one.
    """

    inline_count = 1
    """Handing one transaction to a worker thread costs more than recovering it."""

    def recover(self, raws: Sequence[bytes], rules: EntryRules) -> list[Transaction | Rejected]:
        """One answer for each of ``raws``, in order: the recovered transaction, or why it is refused."""
        return [_recover(raw, rules) for raw in raws]


def _recover(raw: bytes, rules: EntryRules) -> Transaction | Rejected:
    try:
        check_envelope(raw, rules)
        decoded = transaction.decode(raw)
        check_entry(decoded, rules)
        return transaction.recover(decoded)
    except Rejected as refusal:
        return refusal
