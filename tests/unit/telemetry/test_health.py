"""Health: what takes readiness away, what takes life away, and the reasons."""

from sequencer.telemetry.health import STARTING, Health


def test_a_node_that_starts_is_alive_and_not_ready() -> None:
    health = Health()
    assert health.live().ok
    assert not health.ready().ok
    assert STARTING in health.ready().reasons


def test_ready_once_started() -> None:
    health = Health()
    health.clear(STARTING)
    assert health.ready().as_json() == {"status": "ok", "reasons": {}}


def test_holds_and_faults() -> None:
    health = Health()
    health.clear(STARTING)
    health.hold("disk", "nearly full")
    assert health.live().ok
    assert health.ready().as_json() == {"status": "failing", "reasons": {"disk": "nearly full"}}
    health.fault("log", "sync failed")
    assert health.live().as_json() == {"status": "failing", "reasons": {"log": "sync failed"}}
    assert dict(health.ready().reasons) == {"disk": "nearly full", "log": "sync failed"}
    health.clear("disk")
    health.clear("log")
    assert health.ready().ok
    assert health.live().ok


def test_clearing_what_does_not_stand_is_fine() -> None:
    Health().clear("nothing")


def test_an_answer_does_not_change_later() -> None:
    health = Health()
    answer = health.ready()
    health.clear(STARTING)
    assert not answer.ok
    assert STARTING in answer.reasons
