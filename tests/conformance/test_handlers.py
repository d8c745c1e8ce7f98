"""Cases 13, 38 and 39: what application code sees, and where its results go."""

from __future__ import annotations

import asyncio

import pytest

from core.protocol import Frame
from server.handlers import (
    ClientFrame,
    MessageContext,
    User,
    message_mapping,
    send_to,
    send_to_user,
    subscribe_mapping,
)

from ..support.instances import cluster, one_instance
from ..support.raw_stomp import joined, raw_stomp
from ..support.recording_broker import recording_broker


def pete_instead(frame: ClientFrame) -> ClientFrame | None:
    return frame.replace(user="pete") if frame.command == "CONNECT" else None


async def pete_later(frame: ClientFrame) -> ClientFrame | None:
    await asyncio.sleep(0)
    return pete_instead(frame)


@message_mapping("/who")
@send_to_user("/topic/who")
def who(user: User, context: MessageContext) -> str:
    return f"{user} {context.user}"


@pytest.mark.parametrize("interceptor", [pete_instead, pete_later])
async def test_case_13_the_user_that_an_interceptor_sets_is_the_session_s(
    interceptor: object,
) -> None:
    """CONNECTED, handlers, pushes, the registry here and on a peer all know pete, and nobody knows joe."""
    async with (
        one_instance(handlers=[who], interceptors=[interceptor]) as instance,  # type: ignore[list-item]
        raw_stomp(instance.url, "/ws?user=joe") as client,
    ):
        connected = await client.connect(login="joe")
        assert connected.headers["user-name"] == "pete"
        await client.subscribe("/user/topic/who")
        await client.send("SEND", {"destination": "/app/who"}, b"x")
        assert (await client.expect("MESSAGE")).body == b"pete pete"
        assert list(instance.registry.local_by_user()) == ["pete"]
        instance.template.send_to_user("pete", "/topic/who", "pushed")
        assert (await client.expect("MESSAGE")).body == b"pushed"


@message_mapping("/dest")
@send_to()
def to_topic(text: str) -> str:
    return text


@message_mapping("/mine")
@send_to_user()
def to_user(text: str) -> str:
    return text


async def test_case_38_send_to_without_a_destination_is_topic_and_path() -> None:
    """A handler of ``/app/dest`` replies to ``/topic/dest``, with nothing but a content type."""
    async with (
        one_instance(handlers=[to_topic]) as instance,
        joined(instance.url, "joe", "/topic/dest") as joe,
    ):
        await joe.send("SEND", {"destination": "/app/dest", "custom": "not copied"}, b"x")
        message = await joe.expect("MESSAGE")
        assert message.headers["destination"] == "/topic/dest"
        assert message.headers["content-type"] == "text/plain;charset=UTF-8"
        assert "custom" not in message.headers


async def test_case_38_send_to_user_without_a_destination_is_the_user_s_queue_and_path() -> None:
    """A handler of ``/app/mine`` replies to ``/user/joe/queue/mine``: all sessions, on all instances."""
    async with (
        cluster(1) as found,
        one_instance(handlers=[to_user], id="i2", broker_url=found.broker.url) as two,
        joined(two.url, "joe", "/user/queue/mine") as sender,
        joined(found.instances[0].url, "joe", "/user/queue/mine") as elsewhere,
    ):
        await sender.send("SEND", {"destination": "/app/mine"}, b"x")
        for client in (sender, elsewhere):
            assert (await client.expect("MESSAGE")).headers["destination"] == "/user/queue/mine"


async def test_case_38_an_anonymous_session_is_addressed_by_its_id() -> None:
    """Nobody else gets it, also not another anonymous session."""
    async with (
        one_instance(handlers=[to_user], default_user="") as instance,
        joined(instance.url, "", "/user/queue/mine") as sender,
        joined(instance.url, "", "/user/queue/mine") as other,
    ):
        await sender.send("SEND", {"destination": "/app/mine"}, b"x")
        assert (await sender.expect("MESSAGE")).headers["destination"] == "/user/queue/mine"
        await other.nothing_before_receipt()


@subscribe_mapping("/history/{room}")
def history(room: str) -> list[str]:
    return [room, "first", "second"]


async def test_case_39_a_subscription_is_answered_directly_to_the_subscriber() -> None:
    """One MESSAGE with the SUBSCRIBE's destination and id; another subscriber gets nothing of it."""
    async with (
        one_instance(handlers=[history]) as instance,
        raw_stomp(instance.url) as client,
        raw_stomp(instance.url) as other,
    ):
        await client.connect()
        await other.connect()
        await client.send("SUBSCRIBE", {"id": "h", "destination": "/app/history/7"})
        message = await client.expect("MESSAGE")
        assert message.headers["destination"] == "/app/history/7"
        assert message.headers["subscription"] == "h"
        assert message.headers["message-id"]
        assert message.body == b'["7","first","second"]'
        await other.send("SUBSCRIBE", {"id": "h", "destination": "/app/history/7", "receipt": "r"})
        await other.expect("MESSAGE")
        await other.expect("RECEIPT")
        await client.nothing_before_receipt()


@pytest.mark.parametrize("relay", ["multiplexed", "per-client"])
async def test_case_39_the_broker_sees_nothing_and_unsubscribe_kills_no_session(relay: str) -> None:
    """Neither SUBSCRIBE nor UNSUBSCRIBE reaches the broker, which answers the latter with ERROR."""
    async with (
        recording_broker() as broker,
        one_instance(handlers=[history], broker_url=broker.url(), relay=relay) as instance,
        raw_stomp(instance.url) as client,
    ):
        await client.connect()

        def seen() -> list[Frame]:
            frames = [frame for link in broker.links for name in _ABOUT for frame in link.got(name)]
            return [frame for frame in frames if "pushscope." not in frame.headers.get("destination", "")]

        before = len(seen())
        await client.send("SUBSCRIBE", {"id": "h", "destination": "/app/history/7", "receipt": "r"})
        await client.expect("MESSAGE")
        await client.expect("RECEIPT")
        await client.send("UNSUBSCRIBE", {"id": "h", "receipt": "u"})
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "u"
        assert len(seen()) == before
        await client.subscribe("/topic/alive")
        assert len(seen()) == before + 1


_ABOUT = ("SUBSCRIBE", "UNSUBSCRIBE", "SEND")
