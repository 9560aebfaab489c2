"""Where the shared conformance vectors are. Tests that need them say so when they are absent."""

import os
from pathlib import Path

import pytest


def vectors_dir() -> Path:
    """The folder of vectors, from ``$CONFORMANCE_VECTORS`` or beside the project; skips the test without it."""
    configured = os.environ.get("CONFORMANCE_VECTORS")
    folder = Path(configured) if configured else Path(__file__).parents[2] / "shared" / "vectors"
    if not folder.is_dir():
        pytest.skip("conformance vectors are absent: set CONFORMANCE_VECTORS to their folder")
    return folder
