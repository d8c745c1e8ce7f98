"""Interceptors: allow, deny, change; sync and async; always answered, always in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

import pytest

from core.errors import CloseCode
from server.handlers import ClientFrame, Denied, MessageContext, message_mapping, send_to_user

from ...support.instances import one_instance
from ...support.processes import until
from ...support.raw_stomp import RawStomp, joined, raw_stomp
from ...support.recording_broker import recording_broker


@message_mapping("/echo")
@send_to_user("/topic/echo")
def echo(text: str, context: MessageContext) -> str:
    return f"{context.user} {text} {context.headers.get('x', '')} {context.attributes.get('role', '')}"


async def refused(client: RawStomp) -> tuple[str, bytes, int]:
    error = await client.expect("ERROR")
    return error.headers["message"], error.body, (await client.closed())[0]


def let(frame: ClientFrame) -> None:
    """Allows everything."""


async def let_later(frame: ClientFrame) -> None:
    await asyncio.sleep(0)


def no_secrets(frame: ClientFrame) -> None:
    if "secret" in frame.destination:
        raise Denied("no secrets", "of anybody")


async def no_secrets_later(frame: ClientFrame) -> None:
    await asyncio.sleep(0)
    no_secrets(frame)


@pytest.mark.parametrize("deny", [no_secrets, no_secrets_later])
@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE"])
async def test_what_is_denied_is_an_error_with_its_reason(deny: object, command: str) -> None:
    async with (
        one_instance(handlers=[echo], interceptors=[let_later, deny, let]) as instance,  # type: ignore[list-item]
        raw_stomp(instance.url) as client,
    ):
        await client.connect()
        await client.subscribe("/topic/fine")
        await client.send(command, {"destination": "/topic/secret", "id": "s", "receipt": "r"})
        error = await client.expect("ERROR")
        assert (error.headers["message"], error.body) == ("no secrets", b"of anybody")
        assert error.headers["receipt-id"] == "r"
        assert (await client.closed())[0] == CloseCode.PROTOCOL_ERROR
        assert instance.counters.refused_frames == 1


async def test_connect_can_be_denied() -> None:
    async def check(frame: ClientFrame) -> None:
        assert "secret" not in repr(frame)
        if frame.command == "CONNECT" and frame.headers.get("passcode") != "secret":
            raise Denied("bad token")

    async with one_instance(interceptors=[check]) as instance:
        async with raw_stomp(instance.url) as client:
            await client.send("CONNECT", {"accept-version": "1.2", "passcode": "guess"})
            # What was sent with it does not count either.
            await client.send("SUBSCRIBE", {"id": "s", "destination": "/topic/x"})
            assert await refused(client) == ("bad token", b"", CloseCode.PROTOCOL_ERROR)
        async with raw_stomp(instance.url) as client:
            await client.connect(passcode="secret")


async def test_an_interceptor_that_fails_denies(caplog: pytest.LogCaptureFixture) -> None:
    def fails(frame: ClientFrame) -> None:
        raise KeyError("internal")

    with caplog.at_level(logging.ERROR, "pushscope.server"):
        async with one_instance(interceptors=[fails]) as instance, raw_stomp(instance.url) as client:
            await client.send("CONNECT", {"accept-version": "1.2", "passcode": "hidden"})
            message, body, _ = await refused(client)
    assert message == "The message could not be checked"
    assert b"internal" not in body
    assert "hidden" not in caplog.text
    assert "KeyError" in caplog.text


async def test_frames_are_changed_one_interceptor_after_the_other() -> None:
    def change(frame: ClientFrame) -> ClientFrame | None:
        match frame.command:
            case "CONNECT":
                frame.attributes["role"] = "clerk"
                return None
            case "SUBSCRIBE":
                return frame.replace(destination=frame.destination.replace("/mine", "/topic/echo"))
            case "SEND":
                return frame.replace(destination="/app/echo", body=b"changed", headers={"x": "1"})

    async def again(frame: ClientFrame) -> ClientFrame | None:
        await asyncio.sleep(0)
        if frame.command == "SEND":
            assert (frame.destination, frame.body) == ("/app/echo", b"changed")
            return frame.replace(headers={**frame.headers, "x": "2"})
        return None

    async with (
        one_instance(handlers=[echo], interceptors=[change, again]) as instance,
        joined(instance.url, "joe", "/user/mine") as joe,
    ):
        await joe.send("SEND", {"destination": "/app/elsewhere", "receipt": "r", "content-length": "1"}, b"x")
        frames = [await joe.frame(), await joe.frame()]
        assert {frame.command: frame.body for frame in frames} == {
            "MESSAGE": b"joe changed 2 clerk",
            "RECEIPT": b"",
        }


@pytest.mark.parametrize("what", ["user", "destination", "command"])
async def test_what_cannot_be_changed_is_refused(what: str) -> None:
    def change(frame: ClientFrame) -> ClientFrame | None:
        if frame.command == "CONNECT":
            return None
        match what:
            case "user":
                return frame.replace(user="other")
            case "destination":
                return frame.replace(destination="")
            case _:
                return ClientFrame("SEND", frame.session_id, frame.user, "/topic/x", {})

    async with one_instance(interceptors=[change]) as instance, raw_stomp(instance.url) as client:
        await client.connect()
        await client.send("SUBSCRIBE", {"id": "s", "destination": "/topic/y"})
        assert (await refused(client))[0] == "The message could not be checked"


async def test_the_order_of_a_client_is_kept_and_others_do_not_wait() -> None:
    release = asyncio.Event()

    def hold(frame: ClientFrame) -> Awaitable[None] | None:
        return wait() if frame.body == b"0" and frame.user == "slow" else None

    async def wait() -> None:
        await release.wait()

    async with (
        one_instance(handlers=[echo], interceptors=[hold]) as instance,
        joined(instance.url, "slow", "/user/topic/echo") as slow,
        joined(instance.url, "quick", "/user/topic/echo") as quick,
    ):
        for number in range(300):
            await slow.send("SEND", {"destination": "/app/echo"}, str(number).encode())
        await slow.send("UNSUBSCRIBE", {"id": "s0", "receipt": "gone"})
        await slow.raw("\n")
        await quick.send("SEND", {"destination": "/app/echo"}, b"0")
        assert (await quick.expect("MESSAGE")).body == b"quick 0  "
        release.set()
        for number in range(300):
            assert (await slow.expect("MESSAGE")).body == f"slow {number}  ".encode()
        await slow.expect("RECEIPT")


async def test_too_many_may_not_wait() -> None:
    never = asyncio.Event()

    async def hold(frame: ClientFrame) -> None:
        if frame.command == "SEND":
            await never.wait()

    async with one_instance(handlers=[echo], interceptors=[hold]) as instance, raw_stomp(instance.url) as joe:
        await joe.connect()
        for number in range(1_002):
            await joe.send("SEND", {"destination": "/app/echo"}, str(number).encode())
        assert (await refused(joe))[0] == "too many messages"
        never.set()


async def test_a_client_that_leaves_meanwhile_is_forgotten() -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def hold(frame: ClientFrame) -> None:
        if frame.command == "SEND":
            asked.set()
            await release.wait()

    async with one_instance(handlers=[echo], interceptors=[hold]) as instance:
        async with raw_stomp(instance.url) as joe:
            await joe.connect()
            await joe.send("SEND", {"destination": "/app/echo"}, b"x")
            await joe.send("SEND", {"destination": "/app/echo"}, b"y")
            await asked.wait()
        await until(lambda: not instance.sessions, "the client has left")
        release.set()
        await asyncio.sleep(0)
        assert instance.counters.handled == 0


async def test_while_the_broker_is_away_handlers_still_do_not_get_what_is_denied() -> None:
    heard: list[str] = []

    @message_mapping("/note")
    def note(text: str) -> None:
        heard.append(text)

    async def later() -> None:
        await asyncio.sleep(0)

    def check(frame: ClientFrame) -> Awaitable[None] | None:
        if frame.body == b"bad":
            raise Denied("bad")
        return later() if frame.body == b"later" else None

    async with (
        recording_broker() as broker,
        one_instance(
            handlers=[note], interceptors=[check], broker_url=broker.url(), relay="per-client"
        ) as instance,
        raw_stomp(instance.url) as client,
    ):
        await client.connect()
        broker.stop_listening()
        broker.links[0].close()
        await until(lambda: not instance.broker.available, "the loss is seen")
        await client.raw(
            "".join(f"SEND\ndestination:/app/note\n\n{body}\0" for body in ("bad", "later", "good"))
        )
        assert (await refused(client))[0] == "Broker not available."
        assert heard == ["good"]
