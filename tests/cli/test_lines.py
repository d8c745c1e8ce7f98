"""Lines for a person never hold up who writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO

import pytest

from cli.lines import LineWriter


@pytest.fixture
def pipe() -> Iterator[tuple[FileIO, FileIO]]:
    """A pipe's reading and writing end."""
    reading, writing = os.pipe()
    with FileIO(reading, "r") as reader, FileIO(writing, "w") as writer:
        yield reader, writer


def test_lines_arrive_in_order(pipe: tuple[FileIO, FileIO]) -> None:
    reader, writer = pipe
    with LineWriter(writer.fileno()) as lines:
        for number in range(100):
            lines.write(f"é{number}")
    assert (reader.read(65536) or b"").decode().split() == [f"é{number}" for number in range(100)]


def test_a_reader_that_does_not_read(pipe: tuple[FileIO, FileIO]) -> None:
    reader, writer = pipe
    with LineWriter(writer.fileno()) as lines:
        for _ in range(20_000):
            lines.write("hello")
    reader.close()  # ends the thread, which still waits


def test_a_reader_that_went_away(pipe: tuple[FileIO, FileIO]) -> None:
    reader, writer = pipe
    reader.close()
    with LineWriter(writer.fileno()) as lines:
        lines.write("hello")
        lines.write("hello again")
