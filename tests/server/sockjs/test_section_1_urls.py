"""docs/wire/sockjs.md §1: the URL space."""

from __future__ import annotations

import uuid

import pytest

from server.sockjs.paths import METHODS, target_of

from .conftest import Place


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/iframe.html", "iframe"),
        ("/info", "info"),
        ("/websocket", "raw"),
        *(
            (f"/000/abc/{kind}", kind)
            for kind in METHODS
            if kind not in ("greeting", "iframe", "info", "raw")
        ),
    ],
)
def test_every_path_is_known_with_and_without_a_slash_at_its_end(path: str, kind: str, slash: str) -> None:
    target = target_of(path + slash)
    assert target is not None
    assert target.kind == kind
    assert target.session == ("abc" if path.startswith("/000") else "")


@pytest.mark.parametrize("path", ["", "/"])
async def test_the_prefix_greets(any_place: Place, path: str) -> None:
    assert (await any_place.get(f"/echo{path}")).body == b"Welcome to SockJS!\n"


@pytest.mark.parametrize(
    "path",
    [
        "/a",
        "/a.html",
        "//",
        "///",
        "/a/a",
        "/a/a/",
        "/a/",
        "/info//",
        "/websocket/a",
        "/a/a/nonsense",
        "/a/a/a/xhr",
    ],
)
async def test_anything_else_is_not_found(any_place: Place, path: str) -> None:
    answer = await any_place.get(f"/echo{path}")
    assert (answer.status, answer.body) == (404, b"404 Error: Page not found\n")
    assert answer["content-type"] == "text/plain; charset=UTF-8"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["//", "/a./a", "/a/a.", "/./.", "/", "///", "/%2e/a", "/a%2fb/c"])
async def test_segments_are_not_empty_and_have_no_dot_and_no_slash(
    any_place: Place, path: str, method: str
) -> None:
    assert (await any_place.ask(method, f"/echo{path}/xhr")).status == 404


@pytest.mark.parametrize("segment", ["a", "_", "1", "abcdefgh_i-j%20", "%C3%A9", "~!@$&'()*+,;=:"])
async def test_segments_may_have_anything_else(any_place: Place, segment: str) -> None:
    answer = await any_place.post(f"/echo/{segment}/{segment}/xhr")
    assert (answer.status, answer.body) == (200, b"o\n")


async def test_a_session_is_known_by_its_second_segment_only(place: Place) -> None:
    session = uuid.uuid4()
    assert (await place.post(f"/echo/000/{session}/xhr")).body == b"o\n"
    assert (await place.post(f"/echo/111/{session}/xhr_send", b'["a"]')).status == 204
    assert (await place.post(f"/echo/999/{session}/xhr")).body == b'a["a"]\n'


async def test_services_do_not_share_sessions(place: Place) -> None:
    await place.post("/echo/000/shared/xhr")
    assert (await place.post("/cookie_needed_echo/000/shared/xhr_send", b'["a"]')).status == 404


@pytest.mark.parametrize(
    "path",
    ["/iframe.htm", "/iframe", "/IFRAME.HTML", "/IFRAME", "/iframe.HTML", "/iframe.xml", "/iframe-/.html"],
)
async def test_paths_that_only_look_like_the_iframe_page(any_place: Place, path: str) -> None:
    assert (await any_place.get(f"/echo{path}")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "", "GET"),
        ("DELETE", "/iframe.html", "GET"),
        ("POST", "/info", "GET, OPTIONS"),
        ("POST", "/websocket", "GET"),
        ("POST", "/a/a/websocket", "GET"),
        ("GET", "/a/a/xhr", "POST, OPTIONS"),
        ("GET", "/a/a/xhr_streaming", "POST, OPTIONS"),
        ("GET", "/a/a/xhr_send", "POST, OPTIONS"),
        ("POST", "/a/a/eventsource", "GET"),
        ("POST", "/a/a/htmlfile", "GET"),
        ("OPTIONS", "/a/a/jsonp", "GET"),
        ("GET", "/a/a/jsonp_send", "POST"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    any_place: Place, method: str, path: str, allow: str
) -> None:
    answer = await any_place.ask(method, f"/echo{path}")
    assert (answer.status, answer.body) == (405, b"")
    assert answer["allow"] == allow
    assert answer["content-type"] is None


async def test_the_obsolete_chunking_test_is_gone(place: Place) -> None:
    assert (await place.post("/echo/chunking_test")).status == 404


async def test_a_name_that_nobody_needs_is_refused(place: Place) -> None:
    """A session's name is a stranger's key that we keep."""
    assert (await place.post(f"/echo/000/{'x' * 256}/xhr")).status == 200
    assert (await place.post(f"/echo/000/{'x' * 257}/xhr")).status == 404
