"""Access tokens in CONNECT: on every transport, mounted or not, and on the way to the broker."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.exceptions import InvalidStatus

from core.protocol import Frame, encode
from server.access.tokens import TokenSettings
from server.handlers.interceptors import ClientFrame
from server.instance import Instance
from server.mounted import MountedInstance
from server.settings.instance import InstanceSettings
from server.sockets.listener import Listener

from ...support.hypercorn_host import HYPERCORN, hypercorn
from ...support.instances import one_instance
from ...support.raw_sockjs import RAW_TRANSPORTS, RawSockJs
from ...support.raw_stomp import RawStomp, raw_stomp
from ...support.recording_broker import recording_broker
from ...support.tokens import SECRET, forged, token

EITHER: Final = TokenSettings(secret=SECRET)
OPTIONAL: Final = TokenSettings(secret=SECRET, required=False)


def mode(taken_from: str, **more: Any) -> TokenSettings:
    """Settings with another place for tokens."""
    return msgspec.convert({"secret": SECRET, "taken_from": taken_from, **more}, TokenSettings)


@asynccontextmanager
async def served(settings: InstanceSettings, server: str) -> AsyncGenerator[tuple[str, str]]:
    """Server and path of the endpoint."""
    async with AsyncExitStack() as stack:
        if server == "own":
            instance = await stack.enter_async_context(Instance(settings))
            stack.callback(instance.abort)  # an orderly end would wait for pollers that come no more
            yield instance.url, "/ws"
            return
        push = MountedInstance(settings)
        app = Starlette(routes=[Mount("/push", push)], lifespan=push.lifespan)
        if server == "uvicorn":
            yield (await stack.enter_async_context(Listener(app, lifespan="on"))).url, "/push/ws"
        else:
            yield await stack.enter_async_context(hypercorn(app)), "/push/ws"


@pytest.fixture(params=["own", "uvicorn", HYPERCORN])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, str]]:
    async with served(InstanceSettings(tokens=EITHER), str(request.param)) as found:
        yield found


async def said(client: RawStomp, headers: Mapping[str, str]) -> Frame:
    """The answer to a CONNECT with these headers."""
    await client.send("CONNECT", {"accept-version": "1.2", "login": "root", **headers})
    return await client.frame()


def user_of(frame: Frame) -> str | None:
    """Who a client is, by CONNECTED; None if it was refused."""
    return frame.headers.get("user-name", "") if frame.command == "CONNECTED" else None


def good_ways() -> list[dict[str, str]]:
    good = token()
    return [
        {"Authorization": f"Bearer {good}"},
        {"authorization": f"bearer {good}"},
        {"access_token": good},
        {"token": good},
        {"Token": good, "Authorization": f"Bearer {good}"},
    ]


def bad_ways() -> list[dict[str, str]]:
    unsigned = forged({"alg": "none"}, {"sub": "joe"})
    wrong = ["nonsense", "undefined", unsigned, token(lasts=-60), token(key=SECRET * 2), "x" * 9000]
    ways: list[dict[str, str]] = [{}, {"passcode": token()}, {"Authorization": token()}]
    ways += [{"Authorization": "Basic am9lOmpvZQ=="}, {"token": token(), "access_token": token("ann")}]
    for each in wrong:
        ways += [{"Authorization": f"Bearer {each}"}, {"access_token": each}, {"token": each}]
    return ways


async def test_every_way_to_bring_one(place: tuple[str, str]) -> None:
    url, path = place
    for headers in good_ways():
        async with raw_stomp(url, f"{path}?user=root") as client:
            assert user_of(await said(client, headers)) == "joe"
            await client.subscribe("/user/topic/greetings")


async def test_a_token_that_is_none_ends_the_session(place: tuple[str, str]) -> None:
    url, path = place
    for headers in bad_ways():
        async with raw_stomp(url, path) as client:
            error = await said(client, headers)
            assert error.command == "ERROR" and "oken" in error.headers["message"], (headers, error)
            assert (await client.closed())[0] == 1002
            told = f"{dict(error.headers)} {error.body!r}"
            assert not any(value in told for value in headers.values() if len(value) > len("undefined"))


async def test_without_connected_nothing_is_done(place: tuple[str, str]) -> None:
    url, path = place
    for command in ("SEND", "SUBSCRIBE"):
        async with raw_stomp(url, path) as client:
            await client.send(command, {"destination": "/topic/a", "id": "0", "token": token()})
            await client.expect("ERROR")


@pytest.mark.parametrize("transport", RAW_TRANSPORTS)
async def test_over_sockjs(transport: str) -> None:
    async with (
        served(InstanceSettings(tokens=EITHER), "own") as (url, path),
        aiohttp.ClientSession() as http,
    ):
        connect = encode("CONNECT", {"accept-version": "1.2", "token": token()}).decode()
        async with RawSockJs(http, url + path, f"good-{transport}", transport) as session:
            await session.send(connect)
            await session.until("user-name:joe")
        async with RawSockJs(http, url + path, f"bad-{transport}", transport) as session:
            await session.send(connect.replace("token:", "token:x"))
            await session.until("ERROR")
        async with http.post(f"{url}{path}/000/other/xhr?access_token=nonsense") as response:
            assert response.status == 401
        async with http.ws_connect(f"{url}{path}/000/ws/websocket") as socket:
            assert await socket.receive_str() == "o"
            await socket.send_str(json.dumps([connect]))
            assert "user-name:joe" in (await socket.receive_str()).replace("\\n", "\n")


@pytest.mark.parametrize("taken_from", ["either", "connect", "handshake"])
async def test_a_wrong_token_on_the_handshake_is_401_wherever_tokens_are_taken(taken_from: str) -> None:
    async with one_instance(tokens=mode(taken_from)) as instance:
        for path, headers in (("/ws?access_token=x", {}), ("/ws", {"Authorization": "Bearer x"})):
            with pytest.raises(InvalidStatus, match="401"):
                async with raw_stomp(instance.url, path, headers=headers):
                    pass


async def test_both_places_must_name_the_same_user() -> None:
    async with one_instance(tokens=EITHER) as instance:
        for in_connect, user in (({}, "joe"), ({"token": token()}, "joe"), ({"token": token("ann")}, None)):
            async with raw_stomp(instance.url, f"/ws?access_token={token()}") as client:
                assert user_of(await said(client, in_connect)) == user
        async with raw_stomp(instance.url, f"/ws?access_token={token()}") as client:
            assert user_of(await said(client, {"token": "x"})) is None


async def test_only_in_connect() -> None:
    async with one_instance(tokens=mode("connect")) as instance:
        for path in ("/ws", f"/ws?access_token={token()}"):
            async with raw_stomp(instance.url, path) as client:
                assert user_of(await said(client, {})) is None
            async with raw_stomp(instance.url, path) as client:
                assert user_of(await said(client, {"token": token()})) == "joe"


async def test_only_on_the_handshake() -> None:
    async with one_instance(tokens=mode("handshake")) as instance:
        with pytest.raises(InvalidStatus, match="401"):
            async with raw_stomp(instance.url):
                pass
    async with one_instance(tokens=mode("handshake", required=False)) as instance:
        async with raw_stomp(instance.url) as client:
            assert user_of(await said(client, {"token": token()})) is None  # not ignored in silence
        async with raw_stomp(instance.url) as client:
            assert user_of(await said(client, {})) == ""


async def test_optional_ones_count_when_they_come() -> None:
    async with one_instance(tokens=OPTIONAL) as instance:
        for headers, user in (({}, ""), ({"token": token()}, "joe"), ({"token": "x"}, None)):
            async with raw_stomp(instance.url) as client:
                assert user_of(await said(client, headers)) == user
        async with raw_stomp(instance.url) as client:
            assert user_of(await said(client, {"Authorization": "Basic am9lOmpvZQ=="})) is None


@pytest.mark.parametrize("begins", [b"", b"\n", b"CONNECT\naccept-version:1.2\n"])
async def test_who_proves_nothing_in_time_is_told_and_closed(begins: bytes) -> None:
    settings = mode("either", connect_within_s=0.2)
    async with one_instance(tokens=settings) as instance:
        async with raw_stomp(instance.url) as client:
            if begins:
                with contextlib.suppress(Exception):
                    await client.raw(begins)
            error = await client.expect("ERROR")
            if begins != b"\n":  # a heart-beat before CONNECT is refused at once
                assert "within 0.2 s" in error.headers["message"]
                assert instance.counters.unauthorized == 1
            assert (await client.closed())[0] == 1002
        assert instance.sessions == 0


async def test_who_has_proven_it_stays() -> None:
    async with (
        one_instance(tokens=mode("either", connect_within_s=0.2)) as instance,
        raw_stomp(instance.url) as late,
        raw_stomp(instance.url) as joe,
    ):
        assert user_of(await said(joe, {"token": token()})) == "joe"
        await late.expect("ERROR")  # the time is over now
        await joe.subscribe("/topic/a")


async def test_a_session_ends_with_the_token_of_its_connect() -> None:
    async with (
        one_instance(tokens=mode("either", end_at_expiry=True, leeway_s=0)) as instance,
        raw_stomp(instance.url) as client,
    ):
        soon = token(exp=int(time.time()) + 2)
        assert user_of(await said(client, {"token": soon})) == "joe"
        assert (await client.closed())[0] == 4401


async def test_interceptors_see_who_it_is_and_not_how_it_was_proven(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[ClientFrame] = []
    principals: list[Any] = []

    def note(frame: ClientFrame) -> None:
        seen.append(frame)
        principals.append(frame.attributes.get("principal"))

    given = token(role="clerk")
    async with one_instance(tokens=EITHER, interceptors=[note]) as instance:
        for headers in ({"Authorization": f"Bearer {given}"}, {"token": given, "access_token": given}):
            async with raw_stomp(instance.url) as client:
                assert user_of(await said(client, {**headers, "x-other": "1"})) == "joe"
        async with raw_stomp(instance.url) as client:
            assert user_of(await said(client, {"token": given[:-3] + "abc"})) is None
    assert [frame.user for frame in seen] == ["joe", "joe"]
    assert {principal.claims["role"] for principal in principals} == {"clerk"}
    for frame in seen:
        assert "x-other" in frame.headers and given not in repr(frame.headers)
    assert given[:40] not in caplog.text


@pytest.mark.parametrize("tokens", [EITHER, None])
async def test_the_token_goes_to_no_broker(tokens: TokenSettings | None) -> None:
    """Also where each client has a broker connection of its own, which hears its CONNECT."""
    given = token()
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), relay="per-client", tokens=tokens) as instance,
    ):
        for headers in (
            {"Authorization": f"Bearer {given}"},
            {"access_token": given, "x-other": "1"},
            {"token": given},
        ):
            async with raw_stomp(instance.url) as client:
                assert user_of(await said(client, headers)) is not None
        frames = [frame for link in broker.links for frame in link.frames]
    assert [frame.headers["x-other"] for frame in frames if "x-other" in frame.headers] == ["1"]
    assert len([frame for frame in frames if frame.command == "CONNECT"]) == 4
    assert not any(given in str(dict(frame.headers)) for frame in frames)
