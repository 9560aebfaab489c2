"""Which policy a declared rule becomes, and how wrong rules are told."""

import importlib.metadata
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import ConfigError
from sequencer.core.ports import Budget, OrderingPolicy, ReadyTransactions
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import ZERO_HASH, Hash32
from sequencer.ordering import registry
from sequencer.ordering.fcfs import FirstComeFirstServed
from sequencer.ordering.registry import BUILT_IN, ENTRY_POINT_GROUP, make_policy


class NewestFirst:
    """A third party's policy."""

    def __init__(self, rule: OrderingRule) -> None:
        self.policy_id: Hash32 = rule.policy_id

    def pick(self, ready: ReadyTransactions, budget: Budget, now_ms: int) -> list[PooledTransaction]:
        return list(ready.heads())[::-1][: budget.count]


class Impostor(NewestFirst):
    """Claims an id that is not that of its name and parameters."""

    def __init__(self, rule: OrderingRule) -> None:
        self.policy_id = ZERO_HASH


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distributions that offer policies, as the package metadata would list them."""
    offers = [
        ("newest", f"{__name__}:NewestFirst"),
        ("impostor", f"{__name__}:Impostor"),
        ("twice", f"{__name__}:NewestFirst"),
        ("twice", f"{__name__}:Impostor"),
        ("broken", "no_such_package:Policy"),
        ("fcfs", f"{__name__}:NewestFirst"),
    ]
    listed = EntryPoints(EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in offers)

    def entry_points(**chosen: Any) -> EntryPoints:
        return listed.select(**chosen)

    monkeypatch.setattr(registry, "entry_points", entry_points)
    assert importlib.metadata.entry_points is not entry_points


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_policy_id_is_that_of_the_rule(name: str) -> None:
    rule = OrderingRule(name)
    policy: OrderingPolicy = make_policy(rule)
    assert policy.policy_id == rule.policy_id


def test_parameters_change_the_id() -> None:
    assert (
        make_policy(OrderingRule("round_robin", {"share": 2})).policy_id
        != make_policy(OrderingRule("round_robin")).policy_id
    )


@pytest.mark.usefixtures("installed")
def test_a_third_partys_policy_is_found_by_its_entry_point() -> None:
    assert isinstance(make_policy(OrderingRule("newest", {"anything": 1})), NewestFirst)


@pytest.mark.usefixtures("installed")
def test_nobody_takes_the_name_of_a_built_in_policy() -> None:
    assert isinstance(make_policy(OrderingRule("fcfs")), FirstComeFirstServed)


KNOWN = [
    *["broken", "commit_reveal", "express_lane", "fcfs", "impostor"],
    *["newest", "priority_fee", "round_robin", "twice"],
]
WRONG = [
    (
        OrderingRule("lottery"),
        f"ordering.policy = 'lottery': unknown policy (known: {', '.join(KNOWN)})",
    ),
    (OrderingRule("twice"), "ordering.policy = 'twice': 2 installed distributions offer it"),
    (
        OrderingRule("broken"),
        "ordering.policy = 'broken': cannot be loaded: No module named 'no_such_package'",
    ),
    (
        OrderingRule("impostor"),
        "ordering.policy = 'impostor': the policy's id is not that of its name and parameters",
    ),
    (OrderingRule("fcfs", {"share": 1}), "ordering.parameters.share = 1: policy fcfs has no such parameter"),
    (OrderingRule("round_robin", {"share": 0}), "ordering.parameters.share = 0: must be from 1 to 1024"),
    (OrderingRule("round_robin", {"share": "x"}), "ordering.parameters.share = 'x': must be an integer"),
]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("rule", "text"), WRONG)
def test_a_wrong_rule_names_key_value_and_reason(rule: OrderingRule, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make_policy(rule)
    assert str(refused.value) == text
