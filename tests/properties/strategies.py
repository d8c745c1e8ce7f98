"""Strategies for STOMP values: frames, streams of them, ways to split, and broken streams."""

from __future__ import annotations

from hypothesis import strategies as st

from core.protocol import WITH_BODY, Frame, encode_frame
from core.protocol.commands import COMMANDS, UNESCAPED

#: Text that STOMP can carry: any but NUL and lone surrogates.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
#: Text that needs no escape, which CONNECT and CONNECTED can carry in values.
lines = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=("Cs",)), max_size=20)
plain_names = st.text(
    st.characters(exclude_characters="\0\r\n:", exclude_categories=("Cs",)), min_size=1, max_size=20
)
usual_names = st.sampled_from(
    ["destination", "id", "receipt", "content-type", "subscription", "message-id", "ps-id"]
)
bodies = st.binary(max_size=60) | st.sampled_from([b"", b"\0", b"\n\n", b"\0\n", b"SEND\n\n\0", b"\n" * 9])


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Any frame that can be written, repeated headers included, ``content-length`` as it is computed."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    escaped = command not in UNESCAPED
    names = usual_names | (texts.filter(bool) if escaped else plain_names)
    names = names.filter(lambda name: name != "content-length")
    pairs = draw(st.lists(st.tuples(names, texts if escaped else lines), max_size=6))
    headers: dict[str, str] = {}
    repeated: list[tuple[str, str]] = []
    for name, value in pairs:
        if name in headers:
            repeated.append((name, value))
        else:
            headers[name] = value
    body = b""
    if command in WITH_BODY:
        body = draw(bodies)
        headers["content-length"] = str(len(body))
    return Frame(command, headers, body, tuple(repeated))


@st.composite
def loosely_written(draw: st.DrawFn, frame: Frame) -> bytes:
    """A frame as another implementation may write it: CRLF, no content-length, EOLs around it."""
    wire = encode_frame(frame)
    head, blank, body = wire.partition(b"\n\n")
    if frame.command in WITH_BODY and b"\0" not in frame.body and draw(st.booleans()):
        head = head.replace(b"\ncontent-length:%d" % len(frame.body), b"")
    if draw(st.booleans()):
        head, blank = head.replace(b"\n", b"\r\n"), b"\r\n\r\n"
    gap = st.sampled_from([b"", b"\n", b"\r\n", b"\n\n", b"\0", b"\0\n"])
    return draw(gap) + head + blank + body + draw(gap)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Several frames one after the other, written in any way that is allowed."""
    return b"".join([draw(loosely_written(frame)) for frame in draw(st.lists(frames(), max_size=5))])


@st.composite
def broken_streams(draw: st.DrawFn) -> bytes:
    """A stream with something in it that need not be STOMP."""
    wire = bytearray(draw(streams()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(wire)))
        piece = draw(
            st.sampled_from([b"\0", b"\n", b"\r", b"\\", b":", b"\n\n", b"\xff", b"\\c", b"content-length:"])
            | st.binary(max_size=4)
        )
        wire[at : at + draw(st.integers(0, 3))] = piece
    return bytes(wire)


@st.composite
def splits(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The data in pieces."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
