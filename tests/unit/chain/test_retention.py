"""The log keeps what is not final, and gives up what is, block by block."""

from sequencer.retention import Retention


def test_nothing_goes_before_anything_is_final() -> None:
    retention = Retention([(1, 4), (2, 9)])
    assert retention.final(0) is None


def test_everything_up_to_the_seal_of_the_final_block_may_go() -> None:
    retention = Retention([(1, 4), (2, 9)])
    retention.sealed(3, 12)
    assert retention.final(2) == 10
    assert retention.final(2) is None, "it was said already"
    assert retention.final(7) == 13
