"""Answers of instances as the gateway reads them: however the bytes are cut, they say the same."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.gateway.balancing.targets import Target
from server.gateway.http.upstream import UpstreamConnection, UpstreamFailure


class Wire(asyncio.Transport):
    """Takes everything, and remembers whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: Any) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


HEADS = ("", "Content-Type: a/b\r\n", "X: 1\r\nX: 2\r\n", "Connection: close\r\n")
BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=4)


def encoded(framing: str, head: str, pieces: list[bytes]) -> bytes:
    """An answer with that body."""
    body = b"".join(pieces)
    lines = f"HTTP/1.1 200 OK\r\n{head}".encode()
    match framing:
        case "length":
            return lines + b"Content-Length: %d\r\n\r\n" % len(body) + body
        case "chunks":
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            return lines + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        case _:
            return lines + b"\r\n" + body


async def read(pieces: list[bytes]) -> tuple[int, bytes, bool] | str:
    """What comes of these bytes: status, body, and whether the connection can be used again."""
    connection = UpstreamConnection(Target("i1", "127.0.0.1", 1))
    connection.connection_made(Wire())
    connection.begin(head_only=False)
    for piece in pieces:
        connection.data_received(piece)
    reusable = connection.reusable
    connection.connection_lost(None)
    try:
        head = await connection.head()
        body = b""
        while piece := await connection.read():
            body += piece
    except UpstreamFailure as failure:
        return str(failure)
    return head.status, body, reusable


@given(
    st.sampled_from(("length", "chunks", "close")),
    st.sampled_from(HEADS),
    BODIES,
    st.sampled_from((b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    st.lists(st.integers(0, 400), max_size=6),
)
def test_any_split_gives_the_same_answer(
    framing: str, head: str, pieces: list[bytes], before: bytes, cuts: list[int]
) -> None:
    data = before + encoded(framing, head, pieces)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    split = [data[a:b] for a, b in itertools.pairwise(edges) if a != b]
    kept = framing != "close" and "close" not in head
    assert asyncio.run(read(split)) == (200, b"".join(pieces), kept)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_end_in_an_answer_or_a_failure(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    asyncio.run(read([data[a:b] for a, b in itertools.pairwise(edges) if a != b]))


@given(st.sampled_from(("length", "chunks")), st.data())
def test_an_answer_that_is_cut_short_is_never_whole(framing: str, draw: st.DataObject) -> None:
    data = encoded(framing, "", [b"hello", b"world"])
    end = draw.draw(st.integers(0, len(data) - 1))
    assert asyncio.run(read([data[:end]] if end else [])) in (
        "broke off in its answer",
        "closed the connection without an answer",
    )
