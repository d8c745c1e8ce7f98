"""Any split of the same bytes gives the same frames."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.protocol import sockjs
from core.transport.sockjs.splitting import EventSplitter, LineSplitter, Splitter

MESSAGES = st.lists(st.lists(st.text(max_size=30), min_size=1, max_size=3), max_size=6)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place for place in at if place < len(data))})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


def frames_of(splitter: Splitter, pieces: list[bytes]) -> list[bytes]:
    return [frame for piece in pieces for frame in splitter.feed(piece)]


@given(MESSAGES, CUTS)
def test_lines_in_any_pieces(groups: list[list[str]], at: list[int]) -> None:
    frames = [sockjs.messages_frame(group).encode() for group in groups]
    body = sockjs.XHR_STREAMING_PRELUDE + b"".join(map(sockjs.xhr_chunk, frames))
    splitter = LineSplitter(10_000)
    assert frames_of(splitter, cut(body, [*at, 2050, 2060])) == [b"h" * 2048, *frames]
    assert splitter.end()


@given(MESSAGES, CUTS, st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_events_in_any_pieces(groups: list[list[str]], at: list[int], line_end: bytes) -> None:
    frames = [sockjs.messages_frame(group).encode() for group in groups]
    body = sockjs.EVENTSOURCE_PRELUDE + b"".join(map(sockjs.eventsource_chunk, frames))
    body = body.replace(b"\r\n", line_end)
    splitter = EventSplitter(10_000)
    assert frames_of(splitter, cut(body, at)) == frames
    assert splitter.end()


def test_fields_and_comments_of_events() -> None:
    body = b": comment\nevent: x\nid: 1\nretry: 5\ndata:no space\ndata: two lines\n\ndata\n\n\ndata: \n\n"
    assert frames_of(EventSplitter(1000), [body]) == [b"no space\ntwo lines"]


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        (b"100%25 %0D%0A%00", b"100% \r\n\0"),
        (b"%C3%A9 \xc3\xa9", "é é".encode()),  # decodeURI decodes all of UTF-8
        (b"%2525", b"%25"),
        (b"%23%2f%3F%26", b"%23%2F%3F%26"),  # and leaves what has a meaning in a URI
    ],
)
def test_events_are_unescaped_as_sockjs_client_does(escaped: bytes, plain: bytes) -> None:
    assert frames_of(EventSplitter(1000), [b"data: " + escaped + b"\r\n\r\n"]) == [plain]


@pytest.mark.parametrize("data", [b"100% sure", b"%", b"%4", b"%zz", b"%ff", b"%C3"])
def test_a_percent_that_escapes_nothing_is_an_error(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="escapes nothing"):
        frames_of(EventSplitter(1000), [b"data: " + data + b"\n\n"])


@pytest.mark.parametrize(
    ("make", "begin", "end"),
    [(LineSplitter, b"a[", b"]\n"), (EventSplitter, b"data: a[", b"]\r\n\r\n")],
)
@pytest.mark.parametrize("pieces", [1, 7, 200])
def test_a_frame_has_a_limit(make: Callable[[int], Splitter], begin: bytes, end: bytes, pieces: int) -> None:
    body = begin + b"1" * 200 + end
    size = -(-len(body) // pieces)
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    assert frames_of(make(1000), parts) == [b"a[" + b"1" * 200 + b"]"]
    with pytest.raises(RemoteProtocolError, match="more than 100 bytes") as caught:
        frames_of(make(100), parts)
    assert caught.value.close_code == 1009


@pytest.mark.parametrize(("make", "data"), [(LineSplitter, b"a["), (EventSplitter, b"data: a[]\n")])
def test_a_body_that_ends_within_a_frame_is_noticed(make: Callable[[int], Splitter], data: bytes) -> None:
    splitter = make(1000)
    assert frames_of(splitter, [data]) == []
    assert not splitter.end()
    assert splitter.end(), "the next body begins anew"
