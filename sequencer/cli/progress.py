"""Long work shows how far it has come, on standard error: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable
from typing import Final, Self, TextIO

WIDTH: Final = 32
REDRAW_S: Final = 0.1
LINE_S: Final = 10.0


class ProgressBar:
    """One piece of work. Use it as a context manager, so that the bar is whole or gone at the end."""

    def __init__(self, what: str, stream: TextIO | None = None, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._stream = sys.stderr if stream is None else stream
        self._clock_s = clock_s
        self._terminal = self._stream.isatty()
        self._started_s = self._shown_s = clock_s()
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> None:
        """What is drawn stays, and other lines may follow."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = False

    def show(self, share: float, detail: str) -> None:
        """``share`` of the work is done, from 0 to 1. Cheap to call often."""
        now_s = self._clock_s()
        if now_s - self._shown_s < (REDRAW_S if self._terminal else LINE_S):
            return
        self._shown_s = now_s
        line = f"{self._what} {share:6.1%}  {detail}{_left(share, now_s - self._started_s)}"
        if self._terminal:
            full = round(share * WIDTH)
            self._stream.write(f"\r\x1b[K[{'#' * full}{'.' * (WIDTH - full)}] {line}")
            self._drawn = True
        else:
            self._stream.write(line + "\n")
        self._stream.flush()


def _left(share: float, spent_s: float) -> str:
    """How long it will take at the pace so far; nothing while that says nothing."""
    if share < 0.01 or share >= 1:
        return ""
    minutes, seconds = divmod(round(spent_s / share * (1 - share)), 60)
    return f", about {minutes}:{seconds:02d} left"
