"""The Rust extension, which is optional: what it makes faster has a twin in Python that gives the same bytes.

Whether it is there is decided here alone. Whoever cannot do without it imports it under its own name.
"""

from types import ModuleType

_NAME = "rollup_sequencer_native"


def native_extension() -> ModuleType | None:
    """The extension; None where it was not built. To be asked at an import or when something is made, not in its calls.

    Raises ``ImportError`` for one that is there and cannot be loaded: a node that went on in Python would be slower
    than its operator believes.
    """
    try:
        import rollup_sequencer_native
    except ModuleNotFoundError as error:
        if error.name != _NAME:
            raise
        return None
    extension: ModuleType = rollup_sequencer_native
    return extension
