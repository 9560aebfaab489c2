"""Whatever value a key may have, writing it as TOML or text and reading it again gives it back."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from sequencer.config_load import load
from sequencer.config_schema import keys
from sequencer.config_values import render


@dataclass(frozen=True, slots=True)
class Part:
    count: int = 0
    share: float = 0.0
    flag: bool = False
    name: str = ""
    names: tuple[str, ...] = ()
    choice: Literal["a", "b"] = "a"
    wait_ms: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Root:
    part: Part = field(default_factory=Part)


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")))
parts = st.builds(
    Part,
    count=st.integers(-(2**63), 2**63 - 1),
    share=st.floats(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    name=texts,
    names=st.lists(texts).map(tuple),
    choice=st.sampled_from(("a", "b")),
    wait_ms=st.integers(0, 2**40),
    size_bytes=st.integers(0, 2**40),
)


@given(parts)
def test_toml(part: Part) -> None:
    lines = [f"{key.path[-1]} = {render(key.read(Root(part)))}" for key in keys(Root)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text("[part]\n" + "\n".join(lines), encoding="utf-8")
        assert load(Root, file=file, environment={}).settings == Root(part)


@given(st.integers(), st.booleans(), st.text(), st.sampled_from(("a", "b")), st.integers(0, 10**9))
def test_environment(count: int, flag: bool, name: str, choice: Literal["a", "b"], seconds: int) -> None:
    environment = {
        "SEQUENCER_PART__COUNT": str(count),
        "SEQUENCER_PART__FLAG": str(flag).lower(),
        "SEQUENCER_PART__NAME": name,
        "SEQUENCER_PART__CHOICE": choice,
        "SEQUENCER_PART__WAIT_MS": f"{seconds}s",
    }
    loaded = load(Root, file=None, environment=environment).settings.part
    assert loaded == Part(count=count, flag=flag, name=name, choice=choice, wait_ms=seconds * 1000)
