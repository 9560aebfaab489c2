"""The suite of ``test_engine_traces``, on the native engine."""

from tests.conformance.execution.test_engine_traces import *  # noqa: F403
