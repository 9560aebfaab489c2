"""The suite of ``test_engine_simulation``, on the native engine."""

from tests.conformance.execution.test_engine_simulation import *  # noqa: F403
