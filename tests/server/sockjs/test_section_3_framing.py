"""docs/wire/sockjs.md §3: frames to the client, close codes, escaping."""

from __future__ import annotations

import json
import re

import pytest

from core.protocol import sockjs

from .conftest import Place

#: What a server must escape, from U+00FF up, as the protocol's suite has it.
FRAGILE = re.compile("[\x00-\x1f\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]")
KILLERS = [code for code in range(255, 65536) if FRAGILE.match(chr(code))]


async def test_a_session_opens_beats_talks_and_closes(place: Place) -> None:
    """``o`` first, then arrays of any number of messages."""
    session = place.session()
    assert (await place.post(f"{session}/xhr")).body == b"o\n"
    await place.post(f"{session}/xhr_send", b'["one"]')
    await place.post(f"{session}/xhr_send", b'["two","three"]')
    assert (await place.post(f"{session}/xhr")).body == b'a["one","two","three"]\n'


async def test_the_end_of_a_session_is_told_to_everyone_who_asks(place: Place) -> None:
    session = place.session("/close")
    assert (await place.post(f"{session}/xhr")).body == b"o\n"
    for _ in range(3):
        assert (await place.post(f"{session}/xhr")).body == b'c[3000,"Go away!"]\n'


async def test_2010_a_second_receiver_is_refused_and_the_first_stays(place: Place) -> None:
    session = place.session()
    async with place.connect() as first:
        await first.ask("POST", f"{session}/xhr_streaming")
        assert (await first.chunk(), await first.chunk()) == (b"h" * 2048 + b"\n", b"o\n")
        refused = b'c[2010,"Another connection still open"]\n'
        assert (await place.post(f"{session}/xhr")).body == refused
        assert (await place.post(f"{session}/xhr_streaming")).body == b"h" * 2048 + b"\n" + refused
        await place.post(f"{session}/xhr_send", b'["still here"]')
        assert await first.chunk() == b'a["still here"]\n'


async def test_1002_a_receiver_that_broke_off(place: Place) -> None:
    session = place.session()
    await place.post(f"{session}/xhr")
    async with place.connect() as http:
        await http.ask("POST", f"{session}/xhr")
    # The server may not have noticed yet.
    while (answer := (await place.post(f"{session}/xhr")).body).startswith(b"c[2010"):
        pass
    assert answer == b'c[1002,"Connection interrupted"]\n'


def test_close_codes_in_use() -> None:
    assert sockjs.GO_AWAY == (3000, "Go away!")
    assert sockjs.ANOTHER_CONNECTION == (2010, "Another connection still open")
    assert sockjs.INTERRUPTED == (1002, "Connection interrupted")


async def test_fragile_characters_go_out_exactly_as_escapes(place: Place) -> None:
    escaped = '"' + "".join(f"\\u{code:04x}" for code in KILLERS) + '"'
    session = place.session()
    await place.post(f"{session}/xhr")
    await place.post(f"{session}/xhr_send", f"[{escaped}]".encode())
    assert (await place.post(f"{session}/xhr")).body == f"a[{escaped}]\n".encode()


async def test_the_same_characters_sent_as_they_are(place: Place) -> None:
    session = place.session()
    await place.post(f"{session}/xhr")
    text = "".join(chr(code) for code in KILLERS)
    assert (await place.post(f"{session}/xhr_send", f'["{text}"]'.encode())).status == 204
    escaped = '"' + "".join(f"\\u{code:04x}" for code in KILLERS) + '"'
    assert (await place.post(f"{session}/xhr")).body == f"a[{escaped}]\n".encode()


@pytest.mark.parametrize(
    ("sent", "frame"),
    [
        (r'["\u0000\u001f\n\r\t"]', r'a["\u0000\u001f\n\r\t"]'),
        ('["größe"]', 'a["größe"]'),  # everything else may be literal
        ('["😀"]', r'a["\ud83d\ude00"]'),
        (r'["\ud83d\ude00"]', r'a["\ud83d\ude00"]'),
        (r'["\ud800 and \udfff"]', r'a["\ud800 and \udfff"]'),  # lone surrogates survive
        ('["100%"]', 'a["100%"]'),
        (r'["\"\\/"]', r'a["\"\\/"]'),
    ],
)
async def test_escaping(place: Place, sent: str, frame: str) -> None:
    session = place.session()
    await place.post(f"{session}/xhr")
    assert (await place.post(f"{session}/xhr_send", sent.encode())).status == 204
    body = (await place.post(f"{session}/xhr")).body.decode()
    assert body == frame + "\n"
    assert json.loads(body[1:]) == json.loads(sent)


async def test_eventsource_escapes_what_decode_uri_would_take_for_an_escape(place: Place) -> None:
    session = place.session()
    async with place.connect() as http:
        await http.ask("GET", f"{session}/eventsource")
        assert (await http.chunk(), await http.chunk()) == (b"\r\n", b"data: o\r\n\r\n")
        await place.post(f"{session}/xhr_send", rb'["100% %41 \r\n\u0000"]')
        assert await http.chunk() == b'data: a["100%25 %2541 \\r\\n\\u0000"]\r\n\r\n'


@pytest.mark.parametrize(
    ("path", "chunk"),
    [
        ("htmlfile", b'<script>\np("a[\\"x\\\\\\"<\\/script>\\"]");\n</script>\r\n'),
        ("jsonp", b'/**/cb("a[\\"x\\\\\\"</script>\\"]");\r\n'),
    ],
)
async def test_htmlfile_and_jsonp_quote_the_frame_once_more(place: Place, path: str, chunk: bytes) -> None:
    session = place.session()
    if path == "jsonp":
        await place.get(f"{session}/jsonp?c=cb")
    async with place.connect() as http:
        if path == "htmlfile":
            await http.ask("GET", f"{session}/htmlfile?c=cb")
            await http.chunk()
            await http.chunk()
        await place.post(f"{session}/xhr_send", rb'["x\"</script>"]')
        if path == "jsonp":
            await http.ask("GET", f"{session}/jsonp?c=cb")
        assert await http.chunk() == chunk
