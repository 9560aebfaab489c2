"""The suite of ``test_engine_blocks``, on the native engine."""

from tests.conformance.execution.test_engine_blocks import *  # noqa: F403
