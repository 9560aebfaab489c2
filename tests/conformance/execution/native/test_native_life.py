"""The suite of ``test_engine_life``, on the native engine."""

from tests.conformance.execution.test_engine_life import *  # noqa: F403
