"""Exceptions of the extension as the node's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import rollup_sequencer_native as native

from sequencer.core.errors import DeadlineExceeded, Defect, Fatal, Reason, Rejected, Temporary


def rejected(refusal: tuple[str, str]) -> Rejected:
    """A refusal as the extension gives it: the tag of its reason, and the detail."""
    reason, detail = refusal
    return Rejected(Reason(reason), detail)


@contextmanager
def translated() -> Iterator[None]:
    """Raises what the extension raises in it in the node's words."""
    try:
        yield
    except native.Refused as error:
        raise rejected(error.args[:2]) from None
    except native.Temporary as error:
        raise Temporary(str(error)) from None
    except native.DeadlineExceeded as error:
        raise DeadlineExceeded(str(error)) from None
    except native.Fatal as error:
        raise Fatal(str(error)) from None
    except (native.Defect, ValueError, OverflowError) as error:
        raise Defect(str(error)) from None
