"""The execution process: ``python -m execution.evm.reference.worker``.

It has two threads. One executes: it owns the open block and the files. The other answers reads, of the parent
and of read workers, from trie nodes, which never change; so a long batch delays a read by at most a few turns
of the interpreter lock, and a read never sees a half-executed transaction. The parent's event loop shares
neither: py-evm would hold its lock for seconds.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any, Final

from execution.evm.reference import nursery, read_worker
from execution.evm.reference.chain_state import ChainState, ReadPoint, SimulationBase
from execution.evm.reference.mortality import die_with
from execution.evm.reference.node_store import NodeStore
from execution.evm.reference.probe import supported_forks
from execution.evm.reference.system_calls import BlockStart
from execution.evm.reference.transition import Call, delegation_target
from execution.evm.reference.trie import MissingNode
from execution.evm.reference.wire import pack_outcome, serve_one
from execution.evm.reference.world import NEW_ACCOUNT, Account
from sequencer.core.errors import Fatal, Temporary
from sequencer.core.genesis import Genesis
from sequencer.core.keccak import EMPTY_HASH
from sequencer.core.ports import StateAt
from sequencer.core.types import Hash32

_SWITCH_INTERVAL_S: Final = 0.001
"""How long one thread keeps the interpreter from the other."""


class Executor:
    """The engine's methods that change something, as the parent calls them."""

    def __init__(self, chain: ChainState) -> None:
        self._chain = chain

    def handle(self, method: str, *arguments: Any) -> Any:
        """One request of the parent."""
        return getattr(self, f"do_{method}")(*arguments)

    def do_open(self, genesis: Genesis) -> tuple[Any, int]:
        return self._chain.open(genesis), self._chain.height

    def do_begin(self, *arguments: Any) -> None:
        self._chain.begin(*arguments)

    def do_apply(self, packed: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [pack_outcome(answer) for answer in self._chain.apply([Call(*fields) for fields in packed])]

    def do_rewind(self, mark: int) -> None:
        self._chain.rewind(mark)

    def do_seal(self) -> Any:
        return self._chain.seal()

    def do_cancel(self) -> None:
        self._chain.cancel()

    def do_commit(self, number: int) -> int:
        self._chain.commit(number)
        return self._chain.height

    def do_sync(self) -> None:
        self._chain.sync()

    def do_unwind(self, to: int) -> int:
        self._chain.unwind(to)
        return self._chain.height


class Reads:
    """Questions about states. Those of read workers name a root, those of the parent a block."""

    def __init__(self, chain: ChainState) -> None:
        self._chain = chain

    def handle(self, method: str, *arguments: Any) -> Any:
        """One request."""
        try:
            return getattr(self, f"do_{method}")(*arguments)
        except MissingNode as error:
            raise Temporary(f"the state has moved on: {error}") from error

    def do_accounts(self, addresses: Sequence[bytes], at: StateAt) -> list[tuple[int, int, bytes, bool]]:
        root = self._chain.read_point(at).root
        return [self._describe(self._chain.tries.account(root, address)) for address in addresses]

    def do_code(self, address: bytes, at: StateAt) -> bytes:
        account = self._chain.tries.account(self._chain.read_point(at).root, address)
        return self.do_code_with_hash(account.code_hash) if account is not None else b""

    def do_storage(self, address: bytes, slots: Sequence[bytes], at: StateAt) -> list[bytes]:
        account = self._chain.tries.account(self._chain.read_point(at).root, address)
        if account is None:
            return [bytes(32)] * len(slots)
        root, tries = account.storage_root, self._chain.tries
        return [tries.slot(root, int.from_bytes(slot, "big")).to_bytes(32, "big") for slot in slots]

    def do_account_proof(self, address: bytes, number: int) -> tuple[Account, list[bytes]]:
        root, tries = self._chain.read_point(number).root, self._chain.tries
        return tries.account(root, address) or NEW_ACCOUNT, tries.account_proof(root, address)

    def do_slot_proofs(self, storage_root: bytes, slots: Sequence[bytes]) -> list[tuple[int, list[bytes]]]:
        tries, numbers = self._chain.tries, [int.from_bytes(slot, "big") for slot in slots]
        return [(tries.slot(storage_root, slot), tries.slot_proof(storage_root, slot)) for slot in numbers]

    def do_read_point(self, at: StateAt, timestamp: int | None) -> ReadPoint:
        return self._chain.read_point(at, timestamp)

    def do_replay_point(self, number: int) -> tuple[ReadPoint, BlockStart]:
        return self._chain.replay_point(number)

    def do_simulation_base(self, at: StateAt) -> SimulationBase:
        return self._chain.simulation_base(at)

    def do_node(self, key: bytes) -> bytes | None:
        return self._chain.tries.node(key)

    def do_account_at(self, root: bytes, address: bytes) -> Account | None:
        return self._chain.tries.account(root, address)

    def do_slot_at(self, storage_root: bytes, slot: int) -> int:
        return self._chain.tries.slot(storage_root, slot)

    def do_code_with_hash(self, code_hash: bytes) -> bytes:
        return b"" if code_hash == EMPTY_HASH else self._chain.tries.code(code_hash)

    def do_block_hash(self, number: int) -> Hash32:
        return self._chain.hash_of(number)

    def _describe(self, account: Account | None) -> tuple[int, int, bytes, bool]:
        if account is None:
            return 0, 0, EMPTY_HASH, False
        delegated = account.code_hash != EMPTY_HASH and (
            delegation_target(self._chain.tries.code(account.code_hash)) is not None
        )
        return account.nonce, account.balance, account.code_hash, delegated


class ReadService:
    """Answers the parent, and every read worker whose socket the parent hands over, until the parent is gone."""

    def __init__(self, parent: "Connection[Any, Any]", reads: Reads) -> None:
        self._parent = parent
        self._reads = reads
        self._connections = [parent]

    def run(self) -> None:
        """Serve."""
        while self._parent in self._connections:
            for ready in wait(self._connections):
                connection: Connection[Any, Any] = ready  # type: ignore[assignment]
                handle = self._handle_parent if connection is self._parent else self._reads.handle
                if not serve_one(connection, handle, "temporary"):
                    self._connections.remove(connection)
                    connection.close()

    def _handle_parent(self, method: str, *arguments: Any) -> Any:
        if method == "adopt":
            return self._connections.append(Connection(recv_handle(self._parent)))
        return self._reads.handle(method, *arguments)


def _execute(requests: "Connection[Any, Any]", executor: Executor, store: NodeStore) -> None:
    with contextlib.suppress(OSError):  # the parent may be gone before we are ready
        requests.send(("ok", supported_forks()))
    while serve_one(requests, executor.handle, "fatal"):
        pass
    store.close()
    os._exit(0)


def main(arguments: Sequence[str]) -> None:
    """``FOLDER PARENT_ID REQUESTS READS CONTROL``: where the state is, who started this, and three sockets."""
    folder, parent = Path(arguments[0]), int(arguments[1])
    requests, reads, control = (Connection(int(number)) for number in arguments[2:])
    die_with(parent)
    gc.freeze()  # what was imported stays, and the processes forked from here share it
    execution_process = os.getpid()
    if os.fork() == 0:
        requests.close()
        reads.close()
        die_with(execution_process)
        nursery.run(control)
        os._exit(0)
    control.close()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        store = NodeStore.open(folder)
    except Fatal as error:
        requests.send(("fatal", str(error)))
        return
    chain = ChainState(store)
    executing = read_worker.with_deep_stack(lambda: _execute(requests, Executor(chain), store))
    ReadService(reads, Reads(chain)).run()
    executing.join()


if __name__ == "__main__":
    main(sys.argv[1:])
