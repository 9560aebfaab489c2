"""The engine conformance suite on the native engine. Skipped, saying so, where the extension is not built."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sequencer.core.errors import Rejected
from sequencer.core.ports import EntryRules, ExecutionEngine
from sequencer.core.transaction import Transaction, decode, recover
from tests.conformance.execution.chains import CHAIN_ID, Chain, genesis

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

RULES = EntryRules(CHAIN_ID, "osaka", 2**63, 0, 0)


class NativeMaker:
    """The native engine, with its state in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, name: str) -> ExecutionEngine:
        from execution.evm.native.engine import NativeEngine

        return NativeEngine(self._folder / name)

    def transactions(self, raws: Sequence[bytes]) -> list[Transaction]:
        """The extension's own objects, or plain ones where the entry rules refuse what a test wants executed."""
        from execution.evm.native.recovery import NativeRecovery

        answers = NativeRecovery().recover(raws, RULES)
        return [
            recover(decode(raw)) if isinstance(answer, Rejected) else answer
            for raw, answer in zip(raws, answers, strict=True)
        ]


@pytest.fixture(scope="session")
def maker(tmp_path_factory: pytest.TempPathFactory) -> NativeMaker:
    return NativeMaker(tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="session")
def _shared(maker: NativeMaker) -> Iterator[Chain]:
    first = genesis()
    engine = maker.make("shared")
    yield Chain(engine, maker, first, engine.open(first))
    engine.close()


@pytest.fixture
def chain(_shared: Chain) -> Iterator[Chain]:
    """A chain that stands at genesis."""
    yield Chain(_shared.engine, _shared.maker, _shared.genesis, _shared.head)
    _shared.engine.unwind(0)
