"""Anything that a SockJS server sends is messages, or an error with a close code; in any pieces the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.protocol import sockjs
from core.protocol.sockjs_client import SockJsSession
from core.transport.sockjs.splitting import EventSplitter, LineSplitter, Splitter

TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)
FRAMES = st.one_of(
    st.sampled_from(
        [b"o", b"h", b"", b"a[]", b'a["x"]', b'm"x"', b'c[3000,"Go away!"]', b"a[1]", b'a["\\ud800"]']
    ),
    st.lists(TEXT, max_size=3).map(lambda messages: sockjs.messages_frame(messages).encode()),
    st.binary(max_size=30),
)
PIECES = st.lists(
    st.one_of(
        FRAMES, st.sampled_from([b"\n", b"\r\n", b"\r\n\r\n", b"\r", b"data: ", b"data:", b"%25", b"%"])
    ),
    max_size=15,
).map(b"".join)


def outcome(make: Callable[[int], Splitter], pieces: list[bytes]) -> tuple[list[bytes], int | None]:
    """The messages of a body, and the close code of what was wrong with it."""
    splitter, session, messages = make(200), SockJsSession(), list[bytes]()
    try:
        for piece in pieces:
            for frame in splitter.feed(piece):
                messages += session.receive(frame)
                if session.closed is not None:
                    return messages, session.closed.code
    except RemoteProtocolError as error:
        return messages, error.close_code
    return messages, None


@pytest.mark.parametrize("make", [LineSplitter, EventSplitter])
@given(body=PIECES, opened=st.booleans(), at=st.lists(st.integers(0, 120), max_size=6))
def test_any_body_in_any_pieces(
    make: Callable[[int], Splitter], body: bytes, opened: bool, at: list[int]
) -> None:
    if opened:
        body = (b"data: o\r\n\r\n" if make is EventSplitter else b"o\n") + body
    cuts = sorted({min(place, len(body)) for place in at} | {0, len(body)})
    pieces = [body[begin:end] for begin, end in itertools.pairwise(cuts)]
    messages, code = outcome(make, [body])
    assert outcome(make, pieces) == (messages, code)
    assert all(message.decode() is not None for message in messages), "UTF-8 always"
    assert opened or not messages
