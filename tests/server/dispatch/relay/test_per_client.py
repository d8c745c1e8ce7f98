"""``relay = "per-client"``: what goes over a client's own broker connection.

See docs/wire/spring-relay.md §6.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from core.errors import UsageError
from core.protocol import Frame
from server.instance import Instance

from ....support.instances import one_instance
from ....support.processes import until, unused_port
from ....support.raw_stomp import RawStomp, raw_stomp
from ....support.recording_broker import BrokerLink, RecordingBroker, recording_broker


class Place(NamedTuple):
    """A broker, an instance on it, and joe, CONNECTED, with his link."""

    broker: RecordingBroker
    instance: Instance
    joe: RawStomp
    link: BrokerLink


@asynccontextmanager
async def place(**connect: str) -> AsyncGenerator[Place]:
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), relay="per-client") as instance,
        raw_stomp(instance.url, "/ws?user=joe") as joe,
    ):
        await joe.connect(**connect)
        yield Place(broker, instance, joe, broker.links[1])


async def receipt_of(found: Place, command: str, headers: dict[str, str], body: bytes = b"") -> Frame:
    """Send a frame with a receipt; the frame as the broker got it."""
    await found.joe.send(command, {**headers, "receipt": "r"}, body)
    assert (await found.joe.expect("RECEIPT")).headers["receipt-id"] == "r"
    return found.link.got(command)[-1]


async def test_frames_go_over_the_clients_connection_and_receipts_come_from_the_broker() -> None:
    async with place() as found:
        subscribe = await receipt_of(found, "SUBSCRIBE", {"id": "a", "destination": "/topic/news"})
        assert subscribe.headers == {"id": "a", "destination": "/topic/news", "ack": "auto", "receipt": "r"}
        await found.joe.send("SEND", {"destination": "/topic/news", "x": "1", "user-name": "root"}, b"hi")
        message = await found.joe.expect("MESSAGE")
        assert (message.body, message.headers["x"], message.headers["subscription"]) == (b"hi", "1", "a")
        assert "user-name" not in message.headers
        for command, headers in (
            ("BEGIN", {"transaction": "t"}),
            ("COMMIT", {"transaction": "t"}),
            ("ACK", {"id": "m"}),
            ("NACK", {"id": "m"}),
        ):
            forwarded = await receipt_of(found, command, headers)
            assert forwarded.headers == {**headers, "receipt": "r"}
        assert not found.broker.links[0].got("ACK")


async def test_user_destinations_are_translated_both_ways() -> None:
    async with place() as found:
        (session,) = found.instance.hub.sessions
        subscribe = await receipt_of(found, "SUBSCRIBE", {"id": "a", "destination": "/user/queue/x"})
        assert subscribe.headers["destination"] == f"/queue/x-user{session}"
        assert subscribe.headers["simpOrigDestination"] == "/user/queue/x"
        await found.joe.send("SEND", {"destination": "/user/joe/queue/x"}, b"me")
        message = await found.joe.expect("MESSAGE")
        assert message.headers["destination"] == "/user/queue/x"
        assert "simpOrigDestination" not in message.headers
        await receipt_of(found, "SEND", {"destination": "/user/ann/queue/x"}, b"who")
        sent = found.link.got("SEND")[-1]
        assert sent.headers["destination"] == found.instance.settings.unresolved_destination
        assert sent.headers["simpOrigDestination"] == "/user/ann/queue/x"


async def test_unsubscribe_is_forwarded_once_and_not_for_the_application() -> None:
    async with place() as found:
        await receipt_of(found, "SUBSCRIBE", {"id": "a", "destination": "/user/queue/x"})
        await found.joe.send("SUBSCRIBE", {"id": "b", "destination": "/app/x"})
        await found.joe.send("UNSUBSCRIBE", {"id": "b", "destination": "/app/x"})
        await receipt_of(found, "UNSUBSCRIBE", {"id": "a", "destination": "/user/queue/x"})
        assert [frame.headers["id"] for frame in found.link.got("UNSUBSCRIBE")] == ["a"]
        assert [frame.headers["id"] for frame in found.link.got("SUBSCRIBE")] == ["a"]


async def test_heart_beats_pass_both_ways() -> None:
    async with place(**{"heart-beat": "10000,10000"}) as found:
        await found.joe.raw("\n")
        await found.broker.until(lambda: found.link.beats == 1, "the client's beat")
        found.link.write(b"\n")
        async with asyncio.timeout(20):
            assert await found.joe.socket.recv() == "\n"


async def test_disconnect_with_a_receipt_is_answered_by_the_broker() -> None:
    async with place() as found:
        await found.joe.send("DISCONNECT", {"receipt": "bye"})
        assert (await found.joe.expect("RECEIPT")).headers["receipt-id"] == "bye"
        error = await found.joe.expect("ERROR")
        assert error.headers["message"] == "Connection to broker closed."
        assert (await found.joe.closed())[0] == 1002


async def test_disconnect_without_a_receipt_closes_at_the_broker_only() -> None:
    async with place() as found:
        await found.joe.send("DISCONNECT")
        await found.broker.until(lambda: found.link.closed, "the client's connection ends")
        assert found.link.frames[-1].command == "DISCONNECT"
        assert found.instance.sessions == 1, "the WebSocket is the client's to close"


async def test_an_error_of_the_broker_is_forwarded_and_ends_the_session() -> None:
    async with place() as found:
        found.link.send("ERROR", {"message": "precondition_failed"}, b"why")
        error = await found.joe.expect("ERROR")
        assert (error.headers["message"], error.body) == ("precondition_failed", b"why")
        assert (await found.joe.closed())[0] == 1002
        await found.broker.until(lambda: found.link.closed, "the client's connection ends")


async def test_frames_before_connected_are_dropped_and_an_early_end_leaves_nothing() -> None:
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), relay="per-client") as instance,
    ):
        broker.answer_connect = False
        async with raw_stomp(instance.url) as client:
            await client.send("CONNECT", {"accept-version": "1.2"})
            await client.send("SEND", {"destination": "/topic/early"}, b"x")
            await broker.until(lambda: len(broker.links) == 2, "the client's connection")
            link = broker.links[1]
            await broker.until(lambda: bool(link.frames), "its CONNECT")
            client.socket.transport.abort()
            await broker.until(lambda: link.closed, "the connection ends though it never was CONNECTED")
        assert [frame.command for frame in link.frames] == ["CONNECT"]
        await until(lambda: instance.sessions == 0, "the session is gone")


async def test_a_broken_connection_and_broken_bytes_are_told_apart() -> None:
    async with place() as found:
        found.link.write(b"NONSENSE\n\n\0")
        message = (await found.joe.expect("ERROR")).headers["message"]
        assert message.startswith("Transport failure: ")
        assert (await found.joe.closed())[0] == 1002


async def test_a_client_that_cannot_be_connected_is_told_why() -> None:
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), relay="per-client") as instance,
        raw_stomp(instance.url) as client,
    ):
        broker.stop_listening()  # the instance's own connection stays
        await client.send("CONNECT", {"accept-version": "1.2"})
        message = (await client.expect("ERROR")).headers["message"]
        assert message.startswith("Failed to connect: ")
        assert (await client.closed())[0] == 1002


@pytest.mark.parametrize("url", ["memory:", "amqp://127.0.0.1:{port}"])
async def test_only_stomp_brokers_have_connections_for_clients(url: str) -> None:
    with pytest.raises(UsageError, match="per-client"):
        async with one_instance(broker_url=url.format(port=unused_port()), relay="per-client"):
            pass
