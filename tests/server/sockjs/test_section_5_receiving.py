"""docs/wire/sockjs.md §5: receive transports over HTTP, chunk by chunk."""

from __future__ import annotations

import pytest

from .conftest import Place

NO_CACHE = "no-store, no-cache, no-transform, must-revalidate, max-age=0"
PAGE = """<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.callback;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>
"""
PRELUDE = b"h" * 2048 + b"\n"
JAVASCRIPT = "application/javascript; charset=UTF-8"

#: method, last part of the path, content type, prelude (None: not compared), frame wrapper
STREAMS = [
    ("POST", "xhr_streaming", JAVASCRIPT, PRELUDE, "{}\n"),
    ("GET", "eventsource", "text/event-stream", b"\r\n", "data: {}\r\n\r\n"),
    ("GET", "htmlfile?c=callback", "text/html; charset=UTF-8", None, '<script>\np("{}");\n</script>\r\n'),
]


def wrapped(wrapper: str, frame: str) -> bytes:
    text = frame.replace('"', '\\"') if "script" in wrapper else frame
    return wrapper.replace("{}", text).encode()


@pytest.mark.parametrize(("method", "path", "content_type", "prelude", "wrapper"), STREAMS)
async def test_streaming(
    any_place: Place, method: str, path: str, content_type: str, prelude: bytes | None, wrapper: str
) -> None:
    """Head and prelude at once, then every frame in a chunk of its own."""
    session = any_place.session()
    async with any_place.connect() as http:
        head = await http.ask(method, f"{session}/{path}", {"Origin": "test"})
        assert head.status == 200
        assert head["content-type"] == content_type
        assert head["cache-control"] == NO_CACHE
        assert head["expires"] is None
        assert head["last-modified"] is None
        assert head["transfer-encoding"] == "chunked"
        assert head["content-length"] is None
        first = await http.chunk()
        assert prelude is None or first == prelude
        assert await http.chunk() == wrapped(wrapper, "o")
        for number in range(3):
            assert (await any_place.post(f"{session}/xhr_send", f'["{number}"]'.encode())).status == 204
            assert await http.chunk() == wrapped(wrapper, f'a["{number}"]')


@pytest.mark.parametrize(("method", "path", "content_type", "prelude", "wrapper"), STREAMS)
async def test_streaming_ends_at_the_response_limit_and_goes_on_in_another(
    place: Place, method: str, path: str, content_type: str, prelude: bytes | None, wrapper: str
) -> None:
    """4,096 bytes of frames with their wrapping; the prelude does not count."""
    session = place.session()
    async with place.connect() as http:
        await http.ask(method, f"{session}/{path}")
        await http.chunk()
        size = len(await http.chunk())
        message = "x" * 128
        while size < 4096:
            await place.post(f"{session}/xhr_send", f'["{message}"]'.encode())
            chunk = await http.chunk()
            assert chunk == wrapped(wrapper, f'a["{message}"]')
            size += len(chunk)
        assert await http.chunk() == b""
        await place.post(f"{session}/xhr_send", b'["next"]')
        await http.ask(method, f"{session}/{path}")
        await http.chunk()
        assert await http.chunk() == wrapped(wrapper, 'a["next"]')


async def test_the_response_limit_in_messages_of_the_suite(place: Place) -> None:
    session = place.session()
    async with place.connect() as http:
        await http.ask("POST", f"{session}/xhr_streaming")
        await http.chunk()
        await http.chunk()
        for _ in range(31):
            await place.post(f"{session}/xhr_send", b'["' + b"x" * 128 + b'"]')
            assert await http.chunk() == b'a["' + b"x" * 128 + b'"]\n'
        assert await http.chunk() == b""


async def test_xhr_polling(any_place: Place) -> None:
    """One frame for each response; the connection is kept."""
    session = any_place.session()
    async with any_place.connect() as http:
        answer = await http.whole(await http.ask("POST", f"{session}/xhr", {"Origin": "test"}))
        assert (answer.status, answer.body) == (200, b"o\n")
        assert answer["content-type"] == JAVASCRIPT
        assert answer["cache-control"] == NO_CACHE
        assert answer["access-control-allow-origin"] == "test"
        await any_place.post(f"{session}/xhr_send", b'["x"]')
        assert (await http.whole(await http.ask("POST", f"{session}/xhr"))).body == b'a["x"]\n'
        head = await http.ask("POST", f"{session}/xhr")  # the head does not wait for a frame
        assert head.status == 200
        await any_place.post(f"{session}/xhr_send", b'["y","z"]')
        assert (await http.whole(head)).body == b'a["y","z"]\n'


async def test_a_post_without_a_length_is_understood(place: Place) -> None:
    async with place.connect() as http:
        http.writer.write(f"POST {place.session()}/xhr HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (await http.whole(await http.head())).body == b"o\n"


async def test_jsonp_polling(any_place: Place) -> None:
    session = any_place.session()
    answer = await any_place.get(f"{session}/jsonp?c=%63allback")
    assert (answer.status, answer.body) == (200, b'/**/callback("o");\r\n')
    assert answer["content-type"] == JAVASCRIPT
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["cache-control"] == NO_CACHE
    await any_place.post(f"{session}/xhr_send", b'["x"]')
    assert (await any_place.get(f"{session}/jsonp?callback=cb")).body == b'/**/cb("a[\\"x\\"]");\r\n'


async def test_jsonp_close(place: Place) -> None:
    session = place.session("/close")
    assert (await place.get(f"{session}/jsonp?c=x")).body == b'/**/x("o");\r\n'
    for _ in range(2):
        assert (await place.get(f"{session}/jsonp?c=x")).body == b'/**/x("c[3000,\\"Go away!\\"]");\r\n'


async def test_htmlfile_page(place: Place) -> None:
    """The page, and spaces up to more than a kibibyte before the last line ends."""
    async with place.connect() as http:
        await http.ask("GET", f"{place.session()}/htmlfile?c=%63allback")
        prelude = (await http.chunk()).decode()
    assert prelude.endswith(" \r\n\r\n")
    assert prelude.strip() == PAGE.strip()
    assert len(prelude.removesuffix("\r\n\r\n")) > 1024


@pytest.mark.parametrize("path", ["htmlfile", "jsonp"])
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", '"callback" parameter required'),
        ("?c=", '"callback" parameter required'),
        ("?x=y", '"callback" parameter required'),
        ("?c=%20", 'invalid "callback" parameter'),
        ("?c=*", 'invalid "callback" parameter'),
        ("?c=abc(", 'invalid "callback" parameter'),
        ("?c=abc%28", 'invalid "callback" parameter'),
        ("?c=%C3%A4", 'invalid "callback" parameter'),
        ("?c=a%0Ab", 'invalid "callback" parameter'),
    ],
)
async def test_bad_callbacks_touch_no_session(place: Place, path: str, query: str, sentence: str) -> None:
    session = place.session()
    answer = await place.get(f"{session}/{path}{query}")
    assert (answer.status, answer.body.decode()) == (500, sentence)
    assert (await place.post(f"{session}/xhr_send", b'["a"]')).status == 404


async def test_callbacks_have_a_length(place: Place) -> None:
    assert (await place.get(f"{place.session()}/jsonp?c={'x' * 32}")).status == 200
    answer = await place.get(f"{place.session()}/jsonp?c={'x' * 33}")
    assert (answer.status, answer.body) == (500, b'invalid "callback" parameter')


@pytest.mark.parametrize("path", ["xhr_streaming", "eventsource"])
async def test_a_stream_that_is_closed_gets_the_close_frame_and_ends(place: Place, path: str) -> None:
    """And so does every further one: the first was unlinked, so it is not 2010."""
    session = place.session("/close")
    method = "GET" if path == "eventsource" else "POST"
    for frames in (2, 1):
        async with place.connect() as http:
            await http.ask(method, f"{session}/{path}")
            await http.chunk()
            got = [(await http.chunk()).strip() for _ in range(frames)]
            assert got[-1].removeprefix(b"data: ") == b'c[3000,"Go away!"]'
            assert await http.chunk() == b""


@pytest.mark.parametrize("path", ["xhr", "xhr_streaming"])
async def test_what_waits_is_flushed_as_one_array_when_a_receiver_comes(place: Place, path: str) -> None:
    session = place.session()
    await place.post(f"{session}/xhr")
    for text in ("a", "b"):
        await place.post(f"{session}/xhr_send", f'["{text}"]'.encode())
    async with place.connect() as http:
        await http.ask("POST", f"{session}/{path}")
        if path == "xhr_streaming":
            assert await http.chunk() == PRELUDE
        assert await http.chunk() == b'a["a","b"]\n'


@pytest.mark.parametrize("path", ["xhr", "xhr_streaming"])
async def test_a_receiver_that_breaks_off_ends_the_session(place: Place, path: str) -> None:
    session = place.session()
    await place.post(f"{session}/xhr")
    async with place.connect() as http:
        await http.ask("POST", f"{session}/{path}")
    while True:  # until the server has noticed
        answer = (await place.post(f"{session}/xhr_streaming")).body.removeprefix(PRELUDE)
        if not answer.startswith(b"c[2010"):
            break
    assert answer == b'c[1002,"Connection interrupted"]\n'


async def test_streaming_over_http_1_0(place: Place) -> None:
    """No chunks, no length: the end of the connection is the end of the response."""
    async with place.connect() as http:
        path = f"{place.session('/close')}/xhr_streaming"
        head = await http.ask("POST", path, {"Connection": "Keep-Alive"}, version="1.0")
        assert head.status == 200
        assert head["transfer-encoding"] is None
        assert head["content-length"] is None
        assert await http.reader.read() == PRELUDE + b'o\nc[3000,"Go away!"]\n'


async def test_polling_over_http_1_0(place: Place) -> None:
    async with place.connect() as http:
        head = await http.ask("POST", f"{place.session()}/xhr", version="1.0")
        assert head["transfer-encoding"] is None
        assert await http.reader.read() == b"o\n"


async def test_streams_ask_proxies_not_to_hold_them_back(place: Place) -> None:
    async with place.connect() as http:
        head = await http.ask("GET", f"{place.session()}/eventsource", {"Origin": "http://page.test"})
        assert head["x-accel-buffering"] == "no"
        assert head["access-control-allow-origin"] == "http://page.test"
        assert head["vary"] == "Origin"
