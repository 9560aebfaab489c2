"""Down the chain after some failures, for a while, and up again."""

import pytest

from da.fallback import Fallback, FallbackConfig
from sequencer.core.errors import ConfigError

CONFIG = FallbackConfig(max_failures=2, hold_batches=3)
PLACES = ("celestia", "blobs", "calldata")


def walk(outcomes: str, places: tuple[str, ...] = PLACES) -> list[str]:
    """The places of postings that fail (``x``) or succeed (``o``), and of the one after them."""
    chain = Fallback(places, CONFIG)
    seen = []
    for outcome in outcomes:
        seen.append(chain.place)
        chain.failed() if outcome == "x" else chain.succeeded()
    return [*seen, chain.place]


@pytest.mark.parametrize(
    ("outcomes", "places"),
    [
        ("ooo", "cccc"),
        ("xoxo", "ccccc"),
        ("xx", "ccb"),
        ("xxxx", "ccbbd"),
        ("xxxxxx", "ccbbddd"),
        ("xxooo", "ccbbbc"),
        ("xxooox", "ccbbbcb"),
        ("xxoooo", "ccbbbcc"),
        ("xxoooooox", "ccbbbccccc"),
    ],
)
def test_ways_through_the_chain(outcomes: str, places: str) -> None:
    names = {"c": "celestia", "b": "blobs", "d": "calldata"}
    assert walk(outcomes) == [names[letter] for letter in places]


def test_one_place_is_a_chain() -> None:
    assert set(walk("xxxxoox", ("celestia",))) == {"celestia"}


@pytest.mark.parametrize("name", ["max_failures", "hold_batches"])
def test_counts_are_positive(name: str) -> None:
    with pytest.raises(ConfigError):
        FallbackConfig(**{name: 0})
