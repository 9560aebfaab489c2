"""A bar on a terminal, a line now and then elsewhere."""

import io

from sequencer.cli.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Goes on by what it is told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_bar_is_drawn_over_itself_and_left_whole() -> None:
    stream, clock = Terminal(), Clock()
    with ProgressBar("deriving", stream, clock) as bar:
        bar.show(0.0, "block 0")
        for step in (0.25, 0.5):
            clock.now_s += 30
            bar.show(step, "block 7")
            bar.show(step, "too soon")
    drawn = stream.getvalue().split("\r\x1b[K")
    assert drawn[1:] == [
        "[" + "#" * 8 + "." * 24 + "] deriving  25.0%  block 7, about 1:30 left",
        "[" + "#" * 16 + "." * 16 + "] deriving  50.0%  block 7, about 1:00 left\n",
    ]


def test_short_work_shows_nothing() -> None:
    stream = Terminal()
    with ProgressBar("deriving", stream, Clock()) as bar:
        bar.show(0.5, "block 1")
    assert not stream.getvalue()


def test_a_file_gets_lines() -> None:
    stream, clock = io.StringIO(), Clock()
    with ProgressBar("deriving", stream, clock) as bar:
        for _ in range(25):
            clock.now_s += 1
            bar.show(1.0, "block 3")
    assert stream.getvalue() == "deriving 100.0%  block 3\n" * 2
