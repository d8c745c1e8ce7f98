"""Access tokens on every transport of an instance: on its own, and mounted under uvicorn and hypercorn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.exceptions import InvalidStatus

from core.errors import UsageError
from server.access.admission import Principal
from server.access.tokens import Credentials, TokenSettings
from server.handlers.interceptors import ClientFrame
from server.instance import Instance
from server.mounted import MountedInstance
from server.settings.instance import InstanceSettings
from server.settings.sockjs import SockJsSettings
from server.sockets.listener import Listener

from ...support.hypercorn_host import HYPERCORN, hypercorn
from ...support.instances import one_instance
from ...support.raw_http import connected, request
from ...support.raw_stomp import raw_stomp
from ...support.tokens import SECRET, token

#: Tokens in CONNECT: :mod:`.test_tokens_in_connect`.
TOKENS: Final = TokenSettings(secret=SECRET, taken_from="handshake")
WEBSOCKETS: Final = ("/ws", "/ws/websocket", "/ws/000/{name}/websocket")
REQUESTS: Final = {
    "xhr": "POST",
    "xhr_streaming": "POST",
    "eventsource": "GET",
    "htmlfile?c=a": "GET",
    "jsonp?c=a": "GET",
}
CONNECT: Final = '["CONNECT\\naccept-version:1.2\\nlogin:root\\n\\n\\u0000"]'


@asynccontextmanager
async def own(settings: InstanceSettings) -> AsyncGenerator[str]:
    async with Instance(settings) as instance:
        yield instance.url
        instance.abort()  # an orderly end would wait for pollers that come no more


@asynccontextmanager
async def mounted(settings: InstanceSettings, server: str) -> AsyncGenerator[str]:
    push = MountedInstance(settings)
    app = Starlette(routes=[Mount("/push", push)], lifespan=push.lifespan)
    async with AsyncExitStack() as stack:
        if server == "uvicorn":
            url = (await stack.enter_async_context(Listener(app, lifespan="on"))).url
        else:
            url = await stack.enter_async_context(hypercorn(app))
        yield f"{url}/push"


@pytest.fixture(params=["own", "uvicorn", HYPERCORN])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    settings = InstanceSettings(tokens=TOKENS)
    server = str(request.param)
    async with own(settings) if server == "own" else mounted(settings, server) as base:
        yield base


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


def split(url: str) -> tuple[str, str]:
    """Server and prefix."""
    base, slash, prefix = url.partition("/push")
    return base, slash + prefix


def with_query(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}" if query else path


async def opened(url: str, path: str, query: str = "", bearer: str = "") -> tuple[int, str]:
    """Try to open a session; the status, and the challenge of a refusal."""
    base, prefix = split(url)
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    whole = with_query(prefix + path, query)
    method = REQUESTS.get(path.rpartition("/")[2])
    if method is None:
        try:
            async with raw_stomp(base, whole, headers=headers):
                return 101, ""
        except InvalidStatus as refused:
            answer = refused.response
            return answer.status_code, answer.headers.get("WWW-Authenticate", "")
    async with connected(base) as raw:
        head = await raw.ask(method, whole, headers)
        return head.status, head["www-authenticate"] or ""


def paths(name: str) -> list[str]:
    return [path.format(name=name) for path in WEBSOCKETS] + [
        f"/ws/000/{name}-{n}/{t}" for n, t in enumerate(REQUESTS)
    ]


async def test_every_transport_needs_a_token(url: str) -> None:
    for path in paths("a"):
        assert await opened(url, path) == (401, 'Bearer realm="pushscope"'), path
        assert (await opened(url, path, "user=joe"))[0] == 401
    for bad in ("nonsense", token(lasts=-60), token(key=SECRET * 2), token(nbf=int(time.time()) + 60)):
        for path in paths("b"):
            for query, bearer in ((f"access_token={bad}", ""), ("", bad)):
                status, challenge = await opened(url, path, query, bearer)
                assert (status, 'error="invalid_token"' in challenge) == (401, True), path
                assert bad not in challenge
    for path in paths("c"):
        status, challenge = await opened(url, path, f"access_token={token()}", token("ann"))
        assert (status, 'error="invalid_request"' in challenge) == (401, True), path


async def test_a_good_token_opens_every_transport(url: str) -> None:
    for number, path in enumerate(paths("a")):
        good = 101 if number < len(WEBSOCKETS) else 200
        assert await opened(url, path, f"access_token={token()}") == (good, "")
    for number, path in enumerate(paths("b")):
        good = 101 if number < len(WEBSOCKETS) else 200
        same = token()
        assert await opened(url, path, f"x=1&access_token={same}", same) == (good, "")


async def test_the_principal_is_the_user_whatever_else_is_said(url: str) -> None:
    base, prefix = split(url)
    async with raw_stomp(base, f"{prefix}/ws?user=root&access_token={token()}") as joe:
        assert (await joe.connect(login="root", passcode="x")).headers["user-name"] == "joe"
    async with raw_stomp(base, f"{prefix}/ws", headers={"Authorization": f"Bearer {token('ann')}"}) as ann:
        assert (await ann.connect(login="root")).headers["user-name"] == "ann"
    session, query = f"{prefix}/ws/000/s", f"?user=root&access_token={token()}"
    assert (await request(base, "POST", f"{session}/xhr{query}")).body == b"o\n"
    assert (await request(base, "POST", f"{session}/xhr_send{query}", body=CONNECT.encode())).status == 204
    assert b"user-name:joe" in (await request(base, "POST", f"{session}/xhr{query}")).body


async def test_pages_that_ask_need_no_token(url: str, http: aiohttp.ClientSession) -> None:
    for path in ("/ws", "/ws/info", "/ws/iframe.html"):
        async with http.get(url + path) as response:
            assert response.status == 200, path
    async with http.options(f"{url}/ws/000/a/xhr") as response:
        assert response.status == 204


async def test_a_page_may_read_why_it_is_refused(http: aiohttp.ClientSession) -> None:
    async with one_instance(tokens=TOKENS, allowed_origins=("https://shop.example",)) as instance:
        headers = {"Origin": "https://shop.example"}
        async with http.post(f"{instance.url}/ws/000/a/xhr", headers=headers) as response:
            assert response.status == 401
            assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"
            assert "no-store" in response.headers["Cache-Control"]
            assert await response.text() == "an access token is needed\n"
        assert instance.counters.unauthorized == 1
        # Who may not come at all learns nothing of tokens.
        headers["Origin"] = "https://evil.example"
        async with http.post(f"{instance.url}/ws/000/a/xhr", headers=headers) as response:
            assert response.status == 403


@pytest.mark.parametrize("bound", [False, True])
async def test_a_session_belongs_to_who_opened_it(bound: bool) -> None:
    """docs/wire/sockjs.md §9. A token that has expired since is still the one that opened the session."""
    valid = {"joe-1": "joe", "joe-2": "joe", "ann-1": "ann"}

    def authenticate(credentials: Credentials) -> Principal | None:
        name = valid.get(credentials.token)
        return None if name is None else Principal(name)

    settings = InstanceSettings(sockjs=SockJsSettings(bind_sessions=bound))
    async with Instance(settings, authenticate=authenticate) as instance:

        async def send(given: str, body: bytes = b"[]") -> int:
            query = f"?access_token={given}" if given else ""
            return (await request(instance.url, "POST", f"/ws/000/s/xhr_send{query}", body=body)).status

        opening = await request(instance.url, "POST", "/ws/000/s/xhr?access_token=joe-1")
        assert opening.body == b"o\n"
        assert [await send(each) for each in ("joe-1", "joe-2", "ann-1", "nonsense")] == [204, 204, 404, 401]
        assert await send("") == (401 if bound else 204)
        for transport in ("xhr", "eventsource"):
            path = f"/ws/000/s/{transport}?access_token=ann-1"
            method = REQUESTS[transport]
            assert (await request(instance.url, method, path)).status == 404
        valid.clear()
        assert [await send(each) for each in ("joe-1", "joe-2")] == [204, 401]
        assert instance.sessions == 1


async def test_who_may_come_without_a_token_is_nobody() -> None:
    async with one_instance(tokens=TokenSettings(secret=SECRET, required=False)) as instance:
        async with raw_stomp(instance.url, "/ws?user=root") as nobody:
            assert "user-name" not in (await nobody.connect(login="root")).headers
        assert (await opened(instance.url, "/ws", "access_token=nonsense"))[0] == 401
        path = "/ws/000/s/xhr"
        await request(instance.url, "POST", f"{path}?user=root")
        await request(instance.url, "POST", f"{path}_send", body=CONNECT.encode())
        assert b"user-name" not in (await request(instance.url, "POST", path)).body


async def test_a_session_may_end_with_its_token(http: aiohttp.ClientSession) -> None:
    settings = TokenSettings(secret=SECRET, leeway_s=0, end_at_expiry=True)
    async with one_instance(tokens=settings) as instance, asyncio.timeout(20):
        query = f"?access_token={token(exp=int(time.time()) + 2)}"
        async with (
            raw_stomp(instance.url, f"/ws{query}") as connected_one,
            raw_stomp(instance.url, f"/ws{query}") as silent_one,
            http.get(f"{instance.url}/ws/000/s/eventsource{query}") as events,
            raw_stomp(instance.url, f"/ws?access_token={token(lasts=None)}") as stays,
        ):
            await stays.connect()
            await connected_one.connect(**{"heart-beat": "0,0"})
            for client in (connected_one, silent_one):
                assert await client.closed() == (4401, "the access token has expired")
            text = await events.text()
            assert 'data: c[4401,"the access token has expired"]' in text
            assert instance.sessions == 1


async def test_by_default_a_session_outlives_its_token() -> None:
    settings = TokenSettings(secret=SECRET, leeway_s=0)
    async with one_instance(tokens=settings) as instance:
        expires = int(time.time()) + 1
        short = token(exp=expires)
        async with raw_stomp(instance.url, f"/ws?access_token={short}") as client:
            await client.connect()
            await asyncio.sleep(expires + 0.01 - time.time())
            assert (await opened(instance.url, "/ws", f"access_token={short}"))[0] == 401
            await client.subscribe("/topic/a")


async def test_what_an_application_finds_out_is_there_for_its_rules() -> None:
    seen: list[Any] = []

    async def authenticate(credentials: Credentials) -> Principal | None:
        await asyncio.sleep(0)
        if credentials.headers.get("cookie") != "session=1":
            return None
        return Principal(credentials.query["as"], claims={"role": "admin"})

    class Rule:
        def intercept(self, frame: ClientFrame) -> ClientFrame:
            seen.append((frame.user, frame.attributes["principal"].claims["role"]))
            return frame

    async with Instance(authenticate=authenticate, interceptors=[Rule().intercept]) as instance:
        async with raw_stomp(instance.url, "/ws?as=joe", headers={"Cookie": "session=1"}) as joe:
            assert (await joe.connect()).headers["user-name"] == "joe"
        assert seen == [("joe", "admin")]
        assert await opened(instance.url, "/ws", "as=joe") == (401, 'Bearer realm="pushscope"')


async def test_there_is_one_way_to_know_users() -> None:
    def user_of(scope: dict[str, Any]) -> str:
        return "joe"

    def authenticate(credentials: Credentials) -> Principal:
        return Principal("joe")

    settings = InstanceSettings(tokens=TOKENS)
    for instance in (
        Instance(user=user_of, authenticate=authenticate),
        Instance(settings, user=user_of),
        Instance(settings, authenticate=authenticate),
    ):
        with pytest.raises(UsageError, match="more than one way"):
            await instance.__aenter__()
    with pytest.raises(UsageError, match="too short"):
        await Instance(InstanceSettings(tokens=TokenSettings(secret="short"))).__aenter__()
