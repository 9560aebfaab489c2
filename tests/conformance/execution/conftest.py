"""Every engine is one row of ``maker``; most tests share one engine a kind and unwind it to genesis."""

from collections.abc import Iterator

import pytest

from tests.conformance.execution.chains import Chain, EngineMaker, ReferenceMaker, genesis


@pytest.fixture(scope="session", params=["reference"])
def maker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EngineMaker:
    assert request.param == "reference"
    return ReferenceMaker(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def _shared(maker: EngineMaker) -> Iterator[Chain]:
    first = genesis()
    engine = maker.make("shared")
    yield Chain(engine, maker, first, engine.open(first))
    engine.close()


@pytest.fixture
def chain(_shared: Chain) -> Iterator[Chain]:
    """A chain that stands at genesis."""
    yield Chain(_shared.engine, _shared.maker, _shared.genesis, _shared.head)
    _shared.engine.unwind(0)
