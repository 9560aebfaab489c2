"""From the declared rule to the object that keeps it: built-in policies by name, others by entry point.

A distribution offers a policy by an entry point of the group ``rollup_sequencer.ordering`` whose name is
the policy's and whose object is called with the ``OrderingRule`` and returns an ``OrderingPolicy``::

    [project.entry-points."rollup_sequencer.ordering"]
    my_policy = "my_package:MyPolicy"
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import ConfigError
from sequencer.core.ports import OrderingPolicy
from sequencer.ordering.commit_reveal import CommitReveal
from sequencer.ordering.express_lane import ExpressLane
from sequencer.ordering.fcfs import FirstComeFirstServed
from sequencer.ordering.lane import LaneHolders
from sequencer.ordering.priority_fee import PriorityFee
from sequencer.ordering.ranked import Evidence, RankedPolicy
from sequencer.ordering.round_robin import RoundRobin

ENTRY_POINT_GROUP: Final = "rollup_sequencer.ordering"

BUILT_IN: Final[Mapping[str, Callable[[OrderingRule], OrderingPolicy]]] = MappingProxyType(
    {
        "fcfs": FirstComeFirstServed,
        "priority_fee": PriorityFee,
        "round_robin": RoundRobin,
        "express_lane": ExpressLane,
        "commit_reveal": CommitReveal,
    }
)
"""A third party cannot take the name of one of these: the name is part of the policy id."""


def make_policy(rule: OrderingRule, lane: LaneHolders | None = None) -> OrderingPolicy:
    """The policy that ``rule`` declares. Raises ``ConfigError`` naming key, value and reason.

    ``lane`` tells who holds the express lane where a contract says so (``express_lane``).
    """
    policy: OrderingPolicy
    if rule.name == "express_lane":
        policy = ExpressLane(rule, lane)
    else:
        policy = (BUILT_IN.get(rule.name) or _third_party(rule.name))(rule)
    if policy.policy_id != rule.policy_id:
        raise ConfigError("ordering.policy", rule.name, "the policy's id is not that of its name and parameters")
    return policy


def evidence(policy: OrderingPolicy) -> Evidence:
    """What it takes to check that ``policy`` was kept."""
    return policy.evidence if isinstance(policy, RankedPolicy) else Evidence.NONE


def _third_party(name: str) -> Callable[[OrderingRule], OrderingPolicy]:
    found = list(entry_points(group=ENTRY_POINT_GROUP, name=name))
    if not found:
        known = ", ".join(sorted({*BUILT_IN, *entry_points(group=ENTRY_POINT_GROUP).names}))
        raise ConfigError("ordering.policy", name, f"unknown policy (known: {known})")
    if len(found) > 1:
        raise ConfigError("ordering.policy", name, f"{len(found)} installed distributions offer it")
    try:
        factory: Callable[[OrderingRule], OrderingPolicy] = found[0].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError("ordering.policy", name, f"cannot be loaded: {error}") from error
    return factory
