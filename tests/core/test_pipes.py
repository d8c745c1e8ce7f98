"""Lines through pipes: whole, in order, and never in the way of the loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Generator

import pytest

from core.pipes import LineWriter, read_lines


@pytest.fixture
def pipe() -> Generator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        with contextlib.suppress(OSError):  # the test may have closed it
            os.close(fd)


class Reader:
    """Remembers lines and can wait for the end."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.ended = asyncio.Event()


async def test_lines_whatever_the_chunks(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    reader = Reader()
    read_lines(reading, reader.lines.append, reader.ended.set)
    for chunk in (b"one\ntw", b"o\n", b"\n", b"x" * 200_000 + b"\nrest"):
        await asyncio.to_thread(os.write, writing, chunk[:60_000])
        if len(chunk) > 60_000:
            for start in range(60_000, len(chunk), 60_000):
                await asyncio.to_thread(os.write, writing, chunk[start : start + 60_000])
    os.close(writing)
    await reader.ended.wait()
    assert reader.lines == [b"one\n", b"two\n", b"\n", b"x" * 200_000 + b"\n", b"rest"]


async def test_writing_waits_for_nobody_and_keeps_the_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing)
    lines = [b"%d %b\n" % (number, b"x" * 1000) for number in range(500)]
    for line in lines:  # far more than a pipe holds
        writer.write(line)
    reader = Reader()
    read_lines(reading, reader.lines.append, reader.ended.set)
    await writer.drained(0)
    writer.close()
    os.close(writing)
    await reader.ended.wait()
    assert reader.lines == lines


async def test_a_reader_that_is_gone_is_no_error(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = LineWriter(writing)
    writer.write(b"hello\n")
    await writer.drained(-1)
    writer.write(b"again\n")
    writer.close()
