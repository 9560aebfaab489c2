"""The example in docs/ordering.md is a policy: it is taken from there, installed, found by its entry point, and
held to what every policy owes."""

import re
import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hypothesis import given

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import ConfigError
from sequencer.core.ports import Budget
from sequencer.core.received import RECEIVED_TYPE
from sequencer.ordering.ranked import RankedPolicy
from sequencer.ordering.registry import BUILT_IN, ENTRY_POINT_GROUP, evidence, make_policy
from tests.conformance.ordering.test_policy_conformance import UNBOUNDED, MemoryReady, pools
from tests.unit.ordering.leader import Leader

DOCUMENT = (Path(__file__).parents[3] / "docs" / "ordering.md").read_text()
RULE = OrderingRule("small_first", {"window_ms": 500})


def example() -> str:
    found = re.search(r"<!-- policy -->\n```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    return textwrap.dedent(found[1])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A distribution on the path, as an installer leaves one: the module and its metadata."""
    site = tmp_path_factory.mktemp("site")
    (site / "my_package.py").write_text(example())
    metadata = site / "my_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    declared = re.search(r'\[project\.entry-points\."(.*?)"\]\n(\w+) = "(.*?)"', DOCUMENT)
    assert declared is not None
    group, name, target = declared.groups()
    assert EntryPoint(name, target, group).group == ENTRY_POINT_GROUP
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
    sys.path.insert(0, str(site))
    yield
    sys.path.remove(str(site))
    sys.modules.pop("my_package", None)


def test_it_is_twenty_lines() -> None:
    assert len([line for line in example().splitlines() if line.strip()]) <= 20


@pytest.mark.usefixtures("installed")
class TestTheExample:
    """The policy as the node has it."""

    def test_it_is_found_and_takes_its_parameters(self) -> None:
        policy = make_policy(RULE)
        assert isinstance(policy, RankedPolicy)
        assert policy.policy_id == RULE.policy_id
        assert evidence(policy).value == "receipts"
        with pytest.raises(ConfigError, match=r"ordering\.parameters\.window_ms = 0: must be from 1 to 60000"):
            make_policy(OrderingRule("small_first", {"window_ms": 0}))

    @given(ready=pools())
    def test_it_keeps_what_every_policy_owes(self, ready: MemoryReady) -> None:
        policy = make_policy(RULE)
        picked = policy.pick(ready, UNBOUNDED, 10**6)
        for sender, queue in ready.queues.items():
            assert [p for p in picked if p.transaction.sender == sender] == queue
        assert policy.pick(ready, Budget(10**9, 10**9, 2), 10**6) == picked[:2]

    def test_it_can_be_audited(self) -> None:
        leader = Leader(RULE)
        for sender in (1, 2, 3):
            leader.arrive(sender)
        leader.build(5)
        leader.seal()
        assert leader.audited() == []


def test_the_table_names_every_policy() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)) == set(BUILT_IN)


def test_the_receipt_is_the_one_that_is_signed() -> None:
    assert f"`{RECEIVED_TYPE}`" in DOCUMENT
