"""The suite of ``test_engine_inspection``, on the native engine."""

from tests.conformance.execution.test_engine_inspection import *  # noqa: F403
