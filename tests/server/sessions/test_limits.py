"""Limits of an instance towards its clients, and what an error of ours does to them."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.brokers.base import AUTO, Consume, Deliver, Settled
from server.brokers.memory import MemoryBroker
from server.messages.stages import Stage

from ...support.deaf import deaf_client
from ...support.instances import one_instance
from ...support.processes import until
from ...support.raw_stomp import joined, raw_stomp


async def test_one_client_more_than_there_may_be_is_turned_away() -> None:
    async with one_instance(max_sessions=2) as instance, joined(instance.url, "one") as one:
        async with joined(instance.url, "two"):
            with pytest.raises(InvalidStatus) as refused:
                async with raw_stomp(instance.url):
                    pass
            assert refused.value.response.status_code == 503
            assert instance.counters.turned_away == 1
            await one.nothing_before_receipt()
        await until(lambda: instance.sessions == 1, "one has gone")
        async with joined(instance.url, "three"):
            pass


async def test_sockjs_clients_are_counted_too() -> None:
    async with one_instance(max_sessions=1) as instance, joined(instance.url, "one"):
        address = f"{instance.url.replace('http', 'ws', 1)}/ws/000/s1/websocket"
        async with connect(address, proxy=None, compression=None) as socket:
            assert await socket.recv() == "o"
            await socket.send(json.dumps(["CONNECT\naccept-version:1.2\n\n\0"]))
            answer = await socket.recv()
            assert isinstance(answer, str) and "too many clients" in answer
        assert instance.counters.turned_away == 1


class BrokenBroker(MemoryBroker):
    """Fails in a way that nobody thought of."""

    def subscribe(
        self, destination: str, deliver: Deliver, ready: Settled | None = None, consume: Consume = AUTO
    ) -> int:
        if destination == "/topic/bug":
            raise ZeroDivisionError("nobody thought of this")
        return super().subscribe(destination, deliver, ready, consume)


async def test_an_error_of_ours_closes_one_client_with_1011_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with one_instance(broker=BrokenBroker()) as instance, joined(instance.url, "joe") as joe:
        async with raw_stomp(instance.url) as client:
            await client.connect()
            await client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/bug"})
            assert (await client.closed())[0] == 1011
        assert "nobody thought of this" in caplog.text
        await joe.nothing_before_receipt()
        assert instance.counters.internal_errors == 1
        await until(lambda: instance.sessions == 1, "the session is gone")


async def test_subscriptions_of_a_session_are_bounded() -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        for number in range(1000):
            await client.send("SUBSCRIBE", {"id": str(number), "destination": f"/topic/t{number}"})
        await client.nothing_before_receipt()
        await client.send("SUBSCRIBE", {"id": "1000", "destination": "/topic/t"})
        assert "too many" in (await client.expect("ERROR")).headers["message"]
        assert (await client.closed())[0] == 1002
        await until(lambda: instance.info()["topics"] == 0, "all are given up")


@pytest.mark.parametrize(
    "data",
    [
        b"SEND\ndestination:/topic/a\n" + b"a:b\n" * 100 + b"\nx\0",
        b"SEND\ndestination:/topic/a\nlong:" + b"x" * 16_400 + b"\n\nx\0",
        b"SEND\ndestination:/topic/a\n\n" + b"x" * 65_536 + b"\0",
        b"SEND\ndestination:/topic/a\n\n" + b"x" * 70_000,
        b"SEND\ndestination:/topic/" + b"x" * 300 + b"\n\nx\0",
        b"SEND\ndestination:/app/" + b"x" * 1200 + b"\n\nx\0",
        b"SEND\ndestination:/app/a\\nWARNING forged\n\nx\0",
        b"SEND\ndestination:/user/" + b"x" * 1200 + b"/topic/a\n\nx\0",
        b"SEND\ndestination:/user/joe/topic/" + b"x" * 230 + b"\n\nx\0",
        b"SUBSCRIBE\nid:1\ndestination:/app/" + b"x" * 1200 + b"\n\n\0",
        b"SUBSCRIBE\nid:1\ndestination:/user/topic/" + b"x" * 240 + b"\n\n\0",
        b"SUBSCRIBE\nid:" + b"1" * 300 + b"\ndestination:/topic/a\n\n\0",
    ],
)
async def test_frames_have_limits(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        with caplog.at_level("INFO", "pushscope.server"):
            await client.raw(data)
            await client.expect("ERROR")
        assert (await client.closed())[0] == 1002
    # Nobody writes lines of his own into our log.
    assert not [record for record in caplog.records if "\n" in record.getMessage()]


async def test_what_was_dropped_for_a_slow_client_is_named_among_the_undeliverable() -> None:
    async with (
        one_instance(queue_limit=100_000, slow_consumer="drop-newest") as instance,
        deaf_client(instance.url) as slow,
    ):
        await slow.send("SUBSCRIBE", {"id": "0", "destination": "/user/topic/a", "receipt": "r0"})
        await slow.expect("RECEIPT")
        session = next(iter(instance.hub.sessions.values()))
        instance.router.pause(session)
        for number in range(3):
            instance.template.send_to_user("slow", "/topic/a", "x" * 45_000, {"ps-id": f"p{number}"})
        instance.router.outbox.flush()
        assert instance.stages.get("p2") == Stage.DROPPED
        newest = instance.parts.users.local.undeliverable.as_dict()["recent"][0]
        assert (newest["reason"], newest["user"], newest["id"]) == ("slow-consumer", "slow", "p2")
        instance.router.resume(session)
        assert [(await slow.expect("MESSAGE")).headers["ps-id"] for _ in range(2)] == ["p0", "p1"]


async def test_a_refused_handshake_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async with one_instance() as instance:
        with pytest.raises(InvalidStatus):
            async with raw_stomp(instance.url, origin="https://evil.example"):
                pass
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("head", "body", "count"),
    [
        ("", b"x" * 60_000, 20),  # bodies
        ("long:" + "y" * 16_000 + "\nother:" + "y" * 16_000 + "\n", b"", 40),  # heads
        ("", b"", 1_100),  # frames
    ],
)
async def test_what_transactions_hold_back_is_bounded(head: str, body: bytes, count: int) -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        for number in range(4):
            await client.send("BEGIN", {"transaction": f"t{number}"})
        transactions = [number % 4 if count < 1000 else 0 for number in range(count)]
        for number in transactions:
            frame = f"SEND\ndestination:/topic/a\ntransaction:t{number}\n{head}\n".encode()
            with suppress(ConnectionClosed):
                await client.raw(frame + body + b"\0")
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Bad transaction"
        assert (await client.closed())[0] == 1002


async def test_a_transaction_that_ended_leaves_its_room_to_others() -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        await client.subscribe("/topic/a")
        for number in range(20):
            await client.send("BEGIN", {"transaction": "t"})
            for _ in range(15):
                headers = {"destination": "/topic/a", "transaction": "t"}
                await client.send("SEND", headers, b"x" * 60_000)
            await client.send("ABORT" if number % 2 else "COMMIT", {"transaction": "t"})
            if number % 2 == 0:
                for _ in range(15):
                    await client.expect("MESSAGE")
        await client.nothing_before_receipt()
