"""Why new transactions are refused for now: a full disk, a full log, a backlog, a halt, a stop.

Each reason is a hold with a name. The pool takes transactions while none stands; those that it has accepted go on.
"""

from mempool.service import Mempool


class IngressHolds:
    """The holds that stand, in the order in which they came."""

    def __init__(self, pool: Mempool) -> None:
        self._pool = pool
        self._standing: dict[str, str] = {}

    def hold(self, name: str, why: str) -> None:
        """Refuse new transactions, saying ``why``, until every hold is released."""
        self._standing[name] = why
        self._pool.stop_accepting(why)

    def release(self, name: str) -> None:
        """Undo the hold of this name. Releasing one that does not stand is fine."""
        if self._standing.pop(name, None) is None:
            return
        if self._standing:
            self._pool.stop_accepting(next(iter(self._standing.values())))
        else:
            self._pool.accept()
