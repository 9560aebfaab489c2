"""Where the shared conformance vectors are. Tests that need them say so when they are absent."""

import os
from pathlib import Path

import pytest


def find_vectors() -> Path | None:
    """The folder of vectors, from ``$CONFORMANCE_VECTORS`` or beside the project."""
    configured = os.environ.get("CONFORMANCE_VECTORS")
    folder = Path(configured) if configured else Path(__file__).parents[2] / "shared" / "vectors"
    return folder if folder.is_dir() else None


def vectors_dir() -> Path:
    """The same; skips the test without it."""
    folder = find_vectors()
    if folder is None:
        pytest.skip("conformance vectors are absent: set CONFORMANCE_VECTORS to their folder")
    return folder
