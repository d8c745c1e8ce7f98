"""Lines for a person never hold up who writes them."""

from __future__ import annotations

import io
import threading

from cli.lines import LineWriter


def test_lines_arrive_in_order() -> None:
    stream = io.StringIO()
    with LineWriter(stream) as lines:
        for number in range(100):
            lines.write(str(number))
    assert stream.getvalue().split() == [str(number) for number in range(100)]


class _Stuck(io.StringIO):
    """A pipe that nobody reads: the first write does not return before the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def write(self, text: str, /) -> int:
        self.over.wait(30)
        return len(text)


def test_a_reader_that_does_not_read() -> None:
    stream = _Stuck()
    with LineWriter(stream) as lines:
        for _ in range(20_000):
            lines.write("hello")
    stream.over.set()


class _Gone(io.StringIO):
    """A pipe whose reader went away."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError


def test_a_reader_that_went_away() -> None:
    with LineWriter(_Gone()) as lines:
        lines.write("hello")
        lines.write("hello again")
