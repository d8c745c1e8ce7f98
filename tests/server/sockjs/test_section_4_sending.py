"""docs/wire/sockjs.md §4: what clients send by HTTP. (WebSockets: see test_section_5_websocket.)"""

from __future__ import annotations

import pytest

from .conftest import Place

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NO_CACHE = "no-store, no-cache, no-transform, must-revalidate, max-age=0"


async def opened(place: Place) -> str:
    session = place.session()
    assert (await place.post(f"{session}/xhr")).body == b"o\n"
    return session


async def test_xhr_send(any_place: Place) -> None:
    session = await opened(any_place)
    answer = await any_place.post(f"{session}/xhr_send", b'["x"]', {"Origin": "test"})
    assert (answer.status, answer.body) == (204, b"")
    assert answer["content-type"] == "text/plain; charset=UTF-8"
    assert answer["cache-control"] == NO_CACHE
    assert answer["access-control-allow-origin"] == "test"
    assert answer["access-control-allow-credentials"] == "true"
    assert (await any_place.post(f"{session}/xhr")).body == b'a["x"]\n'


async def test_an_empty_array_keeps_the_client_company(place: Place) -> None:
    session = await opened(place)
    assert (await place.post(f"{session}/xhr_send", b"[]")).status == 204
    assert (await place.post(f"{session}/xhr_send", b'["a"]')).status == 204
    assert (await place.post(f"{session}/xhr")).body == b'a["a"]\n'


BAD = [
    (b"", "Payload expected."),
    (b'["x', "Broken JSON encoding."),
    (b"nonsense", "Broken JSON encoding."),
    (b'["\xff"]', "Broken JSON encoding."),
    (b"{}", "Payload expected."),
    (b'"x"', "Payload expected."),
    (b"null", "Payload expected."),
    (b"[1]", "Payload expected."),
]


@pytest.mark.parametrize(("body", "sentence"), BAD)
async def test_bad_bodies_get_a_bare_sentence_and_harm_nothing(
    any_place: Place, body: bytes, sentence: str
) -> None:
    session = await opened(any_place)
    answer = await any_place.post(f"{session}/xhr_send", body)
    assert (answer.status, answer.body.decode()) == (500, sentence)
    assert (await any_place.post(f"{session}/xhr_send", b'["a"]')).status == 204
    assert (await any_place.post(f"{session}/xhr")).body == b'a["a"]\n'


@pytest.mark.parametrize(("body", "sentence"), BAD)
async def test_bodies_are_checked_before_the_session(place: Place, body: bytes, sentence: str) -> None:
    assert (await place.post("/echo/000/unknown/xhr_send", body)).body.decode() == sentence


@pytest.mark.parametrize("path", ["xhr_send", "jsonp_send"])
async def test_sending_needs_a_session(any_place: Place, path: str) -> None:
    assert (await any_place.post(f"/echo/000/unknown/{path}", b'["x"]')).status == 404
    # and creates none
    assert (await any_place.post(f"/echo/000/unknown/{path}", b'["x"]')).status == 404


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "T",
        "application/json",
        "application/xml",
        "text/xml",
        "application/json; charset=utf-8",
        "text/xml; charset=utf-8",
    ],
)
async def test_content_types_that_are_accepted(place: Place, content_type: str | None) -> None:
    session = await opened(place)
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert (await place.post(f"{session}/xhr_send", b'["a"]', headers)).status == 204


@pytest.mark.parametrize("content_type", [FORM["Content-Type"], "application/octet-stream"])
async def test_content_types_that_are_not(place: Place, content_type: str) -> None:
    session = await opened(place)
    answer = await place.post(f"{session}/xhr_send", b'["a"]', {"Content-Type": content_type})
    assert (answer.status, answer.body) == (500, b"Payload expected.")


async def test_sends_are_taken_while_nobody_receives_and_keep_their_order(place: Place) -> None:
    session = await opened(place)
    for number in range(5):
        await place.post(f"{session}/xhr_send", f'["{number}"]'.encode())
    assert (await place.post(f"{session}/xhr")).body == b'a["0","1","2","3","4"]\n'


async def test_jsonp_send(any_place: Place) -> None:
    session = await opened(any_place)
    answer = await any_place.post(f"{session}/jsonp_send", b"d=%5B%22x%22%5D", FORM)
    assert (answer.status, answer.body, answer["content-length"]) == (200, b"ok", "2")
    assert answer["content-type"] == "text/plain; charset=UTF-8"
    assert answer["cache-control"] == NO_CACHE
    assert (await any_place.post(f"{session}/jsonp_send", b"i=1&d=%5B%22a+b%22%5D", FORM)).body == b"ok"
    # raw text is not percent-decoded
    plain = {"Content-Type": "text/plain"}
    assert (await any_place.post(f"{session}/jsonp_send", b'["%61bc"]', plain)).body == b"ok"
    assert (await any_place.post(f"{session}/xhr")).body == b'a["x","a b","%61bc"]\n'


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "Payload expected."),
        (b"d=", "Payload expected."),
        (b"p=p", "Payload expected."),
        (b"d=%5B%22x", "Broken JSON encoding."),
    ],
)
async def test_bad_forms(place: Place, body: bytes, sentence: str) -> None:
    session = await opened(place)
    answer = await place.post(f"{session}/jsonp_send", body, FORM)
    assert (answer.status, answer.body.decode()) == (500, sentence)


async def test_sends_to_a_session_that_has_ended_are_taken_and_forgotten(place: Place) -> None:
    session = place.session("/close")
    await place.post(f"{session}/xhr")
    assert (await place.post(f"{session}/xhr_send", b'["late"]')).status == 204
    assert (await place.post(f"{session}/xhr")).body == b'c[3000,"Go away!"]\n'


async def test_a_body_over_the_limit_is_refused_unread(place: Place) -> None:
    session = await opened(place)
    async with place.connect() as http:
        size = 256 * 1024 + 1
        answer = await http.ask("POST", f"{session}/xhr_send", body=b"[" + b" " * (size - 1))
        assert answer.status == 413
