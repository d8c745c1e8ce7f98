"""The embedded broker as a stranger over TCP sees it: words of errors, receipts, transactions, limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import pytest

from core.errors import PortTakenError, UsageError
from core.protocol import Frame, Heartbeat, StompParser, encode
from server.brokers.embedded import BrokerLimits, EmbeddedBroker

from ...support.processes import until

PATIENCE = 20.0


class TcpStomp:
    """A STOMP client over TCP, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.beats = 0
        self._parser = StompParser()
        self._frames: list[Frame] = []

    def send(self, command: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.writer.write(encode(command, headers or {}, body))

    async def frame(self) -> Frame | None:
        """The next frame; None if the connection has ended."""
        async with asyncio.timeout(PATIENCE):
            while not self._frames:
                data = await self.reader.read(65536)
                if not data:
                    return None
                for item in self._parser.feed(data):
                    if isinstance(item, Heartbeat):
                        self.beats += 1
                    else:
                        assert isinstance(item, Frame), item
                        self._frames.append(item)
        return self._frames.pop(0)

    async def expect(self, command: str) -> Frame:
        frame = await self.frame()
        assert frame is not None and frame.command == command, frame
        return frame


@asynccontextmanager
async def tcp(broker: EmbeddedBroker, *, connect: bool = True, **headers: str) -> AsyncGenerator[TcpStomp]:
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    client = TcpStomp(reader, writer)
    try:
        if connect:
            client.send("CONNECT", {"accept-version": "1.2", "host": "/", **headers})
            await client.expect("CONNECTED")
        yield client
    finally:
        writer.close()


@pytest.fixture
async def broker() -> AsyncGenerator[EmbeddedBroker]:
    async with EmbeddedBroker() as broker:
        yield broker


@pytest.mark.parametrize(
    ("frame", "message", "detail"),
    [
        (b"FOO\n\n\0", "", "FOO"),
        (b"SEND\n\nx\0", "Missing destination", "\"SEND\" must include a 'destination' header"),
        (
            b"SEND\ndestination:/foo/bar\n\nx\0",
            "Unknown destination",
            "'/foo/bar' is not a valid destination.",
        ),
        (
            b"SEND\ndestination:/topic/a/b\n\nx\0",
            "Invalid destination",
            "'/a/b' is not a valid topic destination",
        ),
        (
            b"SUBSCRIBE\nid:1\ndestination:/queue/\n\n\0",
            "Invalid destination",
            "'/' is not a valid queue destination",
        ),
        (b"SEND\ndestination:/topic/a\nmessage-id:1\n\nx\0", "Invalid header", "not allowed on 'SEND'"),
        (b"UNSUBSCRIBE\nid:nope\n\n\0", "No subscription found", "Subscription to \"id='nope'\" not found."),
        (b"ACK\nid:nope\n\n\0", "Subscription not found", "nope"),
        (b"COMMIT\ntransaction:t\n\n\0", "Bad transaction", "t"),
        (b"CONNECT\naccept-version:1.2\n\n\0", "", ""),
        (
            b"SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\nprefetch-count:x\n\n\0",
            "Invalid header",
            "'prefetch-count' has the value 'x'",
        ),
    ],
)
async def test_errors_use_rabbitmqs_words_and_end_the_connection(
    broker: EmbeddedBroker, frame: bytes, message: str, detail: str
) -> None:
    async with tcp(broker) as client:
        client.writer.write(frame)
        error = await client.expect("ERROR")
        if message:
            assert error.headers["message"] == message
        assert detail in error.body.decode() + error.headers["message"]
        assert await client.frame() is None


async def test_before_connect_nothing_is_allowed(broker: EmbeddedBroker) -> None:
    async with tcp(broker, connect=False) as client:
        client.send("SEND", {"destination": "/topic/a"})
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Illegal command"
        assert b"You must log in using CONNECT first" in error.body


async def test_unknown_versions_are_refused(broker: EmbeddedBroker) -> None:
    async with tcp(broker, connect=False) as client:
        client.send("CONNECT", {"accept-version": "2.0"})
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Version mismatch"


async def test_a_duplicate_subscription_is_refused_with_the_receipt_id(broker: EmbeddedBroker) -> None:
    async with tcp(broker) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a"})
        client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/b", "receipt": "r"})
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Duplicated subscription identifier"
        assert error.headers["receipt-id"] == "r"


async def test_receipts_come_after_what_they_confirm(broker: EmbeddedBroker) -> None:
    async with tcp(broker) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a", "receipt": "sub"})
        client.send("SEND", {"destination": "/topic/a", "receipt": "sent"}, b"x")
        client.send("DISCONNECT", {"receipt": "bye"})
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "sub"
        message = await client.expect("MESSAGE")
        assert message.headers["subscription"] == "1"
        assert "receipt" not in message.headers
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "sent"
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "bye"
        assert await client.frame() is None


async def test_transactions_are_all_or_nothing(broker: EmbeddedBroker) -> None:
    async with tcp(broker) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a"})
        for name, end in (("t", "ABORT"), ("u", "COMMIT")):
            client.send("BEGIN", {"transaction": name})
            client.send("SEND", {"destination": "/topic/a", "transaction": name}, f"{name}1".encode())
            client.send("SEND", {"destination": "/topic/a", "transaction": name}, f"{name}2".encode())
            client.send(end, {"transaction": name, "receipt": name})
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "t"
        assert [(await client.expect("MESSAGE")).body for _ in range(2)] == [b"u1", b"u2"]
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "u"


async def test_a_transaction_may_not_hold_everything() -> None:
    async with EmbeddedBroker(limits=BrokerLimits(transaction=1000)) as broker, tcp(broker) as client:
        client.send("BEGIN", {"transaction": "t"})
        for _ in range(2):
            client.send("SEND", {"destination": "/topic/a", "transaction": "t"}, b"x" * 600)
        assert (await client.expect("ERROR")).headers["message"] == "Bad transaction"


async def test_a_bare_name_is_a_queue(broker: EmbeddedBroker) -> None:
    async with tcp(broker) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/work"})
        client.send("SEND", {"destination": "work"}, b"x")
        assert (await client.expect("MESSAGE")).headers["destination"] == "/queue/work"


async def test_who_leaves_is_unsubscribed_and_others_go_on(broker: EmbeddedBroker) -> None:
    async with tcp(broker) as stays:
        stays.send("SUBSCRIBE", {"id": "1", "destination": "/queue/work", "receipt": "r"})
        await stays.expect("RECEIPT")
        async with tcp(broker) as leaves:
            leaves.send("SUBSCRIBE", {"id": "1", "destination": "/queue/work", "receipt": "r"})
            await leaves.expect("RECEIPT")
            leaves.writer.transport.abort()
        await until(lambda: broker.exchange.bindings == 1, "the other has gone")
        for number in range(4):
            stays.send("SEND", {"destination": "/queue/work"}, str(number).encode())
        assert [(await stays.expect("MESSAGE")).body for _ in range(4)] == [b"0", b"1", b"2", b"3"]


async def test_a_peer_that_does_not_read_is_cut_and_others_are_served() -> None:
    async with (
        EmbeddedBroker(limits=BrokerLimits(peer_backlog=256 * 1024)) as broker,
        tcp(broker) as deaf,
        tcp(broker) as quick,
        tcp(broker) as sender,
    ):
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for client in (deaf, quick):
            client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/flood"})
        quick.send("SUBSCRIBE", {"id": "2", "destination": "/topic/none", "receipt": "r"})
        await quick.expect("RECEIPT")
        async with asyncio.timeout(30):
            while len(broker.peers) == 3:
                sender.send("SEND", {"destination": "/topic/flood"}, b"x" * 60_000)
                await quick.expect("MESSAGE")


async def test_heart_beats_are_sent_and_a_silent_peer_is_cut() -> None:
    async with EmbeddedBroker() as broker, tcp(broker, connect=True, **{"heart-beat": "10000,10000"}):
        (peer,) = broker.peers
        assert peer.deadline is not None  # it will look again: heart-beats were agreed on


async def test_who_never_connects_is_cut() -> None:
    limits = BrokerLimits(connect_s=0.2)
    async with EmbeddedBroker(limits=limits) as broker, tcp(broker, connect=False) as client:
        assert await client.frame() is None


async def test_a_taken_port_is_named() -> None:
    async with EmbeddedBroker() as broker:
        with pytest.raises(PortTakenError) as taken:
            async with EmbeddedBroker(port=broker.port):
                pass
        assert taken.value.port == broker.port


async def test_on_other_addresses_a_token_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUSHSCOPE_TOKEN", raising=False)
    with pytest.raises(UsageError):
        async with EmbeddedBroker("0.0.0.0"):
            pass
    monkeypatch.setenv("PUSHSCOPE_TOKEN", "secret")
    async with EmbeddedBroker("0.0.0.0") as broker:
        broker.host = "0.0.0.0"
        async with tcp(broker, connect=False) as client:
            client.send("CONNECT", {"accept-version": "1.2", "login": "joe", "passcode": "wrong"})
            error = await client.expect("ERROR")
            assert error.headers["message"] == "Bad CONNECT"
            assert error.body == b"Access refused for user 'joe'\n"
        async with tcp(broker, passcode="secret"):
            pass
