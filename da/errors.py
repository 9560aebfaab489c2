"""What a DA layer refuses, beyond the classes that every part shares."""

from sequencer.core.errors import Reason, Rejected


class LayerRefused(Rejected):
    """The layer, or the operator's own limit, will not have it as things are: certainly nothing was published.

    Asked again with backoff, because an operator can mend the cause (a token, a balance, a price cap) at any time.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.NOT_ACCEPTING)
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


class TooLarge(LayerRefused):
    """One blob is larger than the layer takes: certainly nothing was published; pack it smaller."""
