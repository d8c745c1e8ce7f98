"""Properties of the STOMP codec: splitting does not matter, and what is written is read again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.errors import LocalProtocolError
from core.protocol import (
    Frame,
    Heartbeat,
    Limits,
    Malformed,
    MessageTemplate,
    StompParser,
    encode,
    encode_frame,
    escape,
    message_opening,
    unescape,
)
from core.protocol.commands import COMMANDS
from core.protocol.reader import FrameReader

from .strategies import bodies, broken_streams, frames, splits, streams, texts

TIGHT = Limits(max_frame=90, max_body=40, max_header_line=40, max_headers=4)


def parse(chunks: list[bytes], limits: Limits, *, lenient: bool = False) -> list[Frame | str]:
    """Frames, and the text of the fault; heart-beats left out, because they depend on the split."""
    parser = StompParser(limits)
    parser.lenient = lenient
    found: list[Frame | str] = []
    for chunk in chunks:
        for event in parser.feed(chunk):
            match event:
                case Malformed():
                    found.append(str(event.error))
                case Heartbeat():
                    pass
                case Frame():
                    found.append(event)
    return found


@given(st.data(), streams() | broken_streams(), st.sampled_from([Limits(), TIGHT]), st.booleans())
def test_any_split_gives_the_same_events(
    data: st.DataObject, wire: bytes, limits: Limits, lenient: bool
) -> None:
    whole = parse([wire], limits, lenient=lenient)
    assert parse(data.draw(splits(wire)), limits, lenient=lenient) == whole
    assert parse([wire[i : i + 1] for i in range(len(wire))], limits, lenient=lenient) == whole


@given(st.lists(frames(), max_size=5))
def test_encode_then_parse_is_the_identity(written: list[Frame]) -> None:
    assert parse([b"".join(map(encode_frame, written))], Limits()) == written


@given(frames())
def test_the_fast_way_and_the_exact_reader_agree(frame: Frame) -> None:
    wire = encode_frame(frame)
    reader = FrameReader(Limits())
    assert reader.read(wire) == frame
    assert reader.end == len(wire)
    assert parse([wire], Limits()) == [frame]


@given(texts)
def test_unescape_undoes_escape(text: str) -> None:
    assert unescape(escape(text)) == text
    assert unescape(escape(text), lenient=True) == text
    assert not set(escape(text)) & set(":\r\n")


@given(st.text(st.sampled_from("\\\\\\cnrx:"), max_size=12))
def test_escapes_are_read_from_left_to_right(text: str) -> None:
    """Beside a reader that looks at one character after the other."""
    known = {"\\": "\\", "c": ":", "n": "\n", "r": "\r"}
    plain, rest, broken = "", text, False
    while rest:
        if rest[0] != "\\":
            plain, rest = plain + rest[0], rest[1:]
        elif rest[1:2] in known and rest[1:2]:
            plain, rest = plain + known[rest[1]], rest[2:]
        else:
            plain, rest, broken = plain + rest[:2], rest[2:], True
    assert unescape(text, lenient=True) == plain
    try:
        assert unescape(text) == plain
        assert not broken
    except ValueError:
        assert broken


@given(
    st.sampled_from(sorted(COMMANDS)) | texts,
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4),
    bodies,
)
def test_whatever_is_encoded_is_one_frame_or_refused(
    command: str, pairs: list[tuple[str, str]], body: bytes
) -> None:
    """Nothing that the caller puts into a header can become a header, a body or a frame of its own."""
    try:
        wire = encode(command, pairs, body)
    except LocalProtocolError:
        return
    [frame] = parse([wire], Limits())
    assert isinstance(frame, Frame)
    assert (frame.command, frame.body) == (command, body)
    first = dict(reversed(pairs))
    assert {**frame.headers, "content-length": ""} == {**first, "content-length": ""}


@given(texts, st.dictionaries(texts.filter(bool), texts, max_size=4), bodies)
def test_a_template_is_the_message_it_stands_for(
    subscription: str, headers: dict[str, str], body: bytes
) -> None:
    opening = message_opening(subscription)
    expected = {"subscription": subscription, **{k: v for k, v in headers.items() if k != "subscription"}}
    assert MessageTemplate(headers, body).frame(opening) == encode("MESSAGE", expected, body)
