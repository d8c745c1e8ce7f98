"""A STOMP broker that remembers every frame it gets, and goes away and comes back on request."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from core.protocol import Frame, Heartbeat, StompParser, encode


class BrokerLink:
    """One TCP connection, as the broker sees it."""

    def __init__(self, broker: RecordingBroker, writer: asyncio.StreamWriter) -> None:
        self.frames: list[Frame] = []
        self.beats = 0
        self.closed = False
        self.subscriptions: dict[str, str] = {}
        self._broker = broker
        self._writer = writer

    @property
    def connect(self) -> Frame:
        """Its CONNECT or STOMP."""
        return self.frames[0]

    def got(self, command: str) -> list[Frame]:
        """Its frames of one kind."""
        return [frame for frame in self.frames if frame.command == command]

    def send(self, command: str, headers: dict[str, str], body: bytes = b"") -> None:
        """Send a frame."""
        self.write(encode(command, headers, body))

    def write(self, data: bytes) -> None:
        """Send anything."""
        if not self.closed:
            self._writer.write(data)

    def close(self) -> None:
        """End the connection after what was sent."""
        self._writer.close()

    def reset(self) -> None:
        """Cut the connection with a TCP reset, or without what was sent at least."""
        self._writer.transport.abort()


class RecordingBroker:
    """Listens on a port of its own; topics work, the rest is remembered.

    Attributes:
        links: All connections there ever were, in order.
        heartbeat: What CONNECTED carries; None takes what the client asked for, as RabbitMQ does.
        answer_connect: Whether CONNECT is answered.
        connected: Further headers of CONNECTED.
        receipts: Whether receipts are given.
    """

    def __init__(self) -> None:
        self.links: list[BrokerLink] = []
        self.port = 0
        self.heartbeat: tuple[int, int] | None = None
        self.answer_connect = True
        self.connected: dict[str, str] = {}
        self.receipts = True
        self._server: asyncio.Server | None = None
        self._wake = asyncio.Event()
        self._ids = itertools.count(1)
        self._serving: set[asyncio.Task[None]] = set()

    def url(self, login: str = "system:secret", virtual_host: str = "") -> str:
        """Its URL for these credentials."""
        path = f"/{virtual_host}" if virtual_host else ""
        return f"stomp://{login}@127.0.0.1:{self.port}{path}"

    @property
    def open(self) -> list[BrokerLink]:
        """The connections that are up."""
        return [link for link in self.links if not link.closed]

    async def start(self) -> None:
        """Listen, again on the same port after :meth:`stop`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop_listening(self) -> None:
        """Refuse new connections; those that are up stay."""
        if self._server is not None:
            self._server.close()

    async def stop(self) -> None:
        """Close all connections and stop listening."""
        self.stop_listening()
        for link in self.open:
            link.close()
        if self._serving:
            await asyncio.wait(self._serving)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Return when this holds; looked at whenever something came or went."""
        try:
            async with asyncio.timeout(20):
                while not condition():
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            frames = [[frame.command for frame in link.frames] for link in self.links]
            raise AssertionError(f"not within 20 s: {what}; the broker got {frames}") from None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = BrokerLink(self, writer)
        self.links.append(link)
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        parser = StompParser()
        try:
            while data := await reader.read(65536):
                for item in parser.feed(data):
                    match item:
                        case Frame():
                            link.frames.append(item)
                            self._answer(link, item)
                        case Heartbeat():
                            link.beats += 1
                        case _:
                            raise AssertionError(f"the relay sent a malformed frame: {item}")
                self._wake.set()
        except ConnectionError:
            pass
        finally:
            link.closed = True
            writer.close()
            self._serving.discard(task)
            self._wake.set()

    def _answer(self, link: BrokerLink, frame: Frame) -> None:
        headers = frame.headers
        match frame.command:
            case "CONNECT" | "STOMP":
                if self.answer_connect:
                    self.accept(link)
                return
            case "SUBSCRIBE":
                link.subscriptions[headers["id"]] = headers["destination"]
            case "UNSUBSCRIBE":
                link.subscriptions.pop(headers["id"], None)
            case "SEND":
                self._publish(frame)
            case _:
                pass
        if "receipt" in headers and self.receipts:
            link.send("RECEIPT", {"receipt-id": headers["receipt"]})
        if frame.command == "DISCONNECT":
            link.close()

    def accept(self, link: BrokerLink) -> None:
        """Answer CONNECT."""
        sends, wants = self.heartbeat or tuple(
            int(word) for word in link.connect.headers.get("heart-beat", "0,0").split(",")[::-1]
        )
        headers = {"version": "1.2", "server": "Recorder/1", "session": f"s-{len(self.links)}"}
        link.send("CONNECTED", {**headers, "heart-beat": f"{sends},{wants}", **self.connected})

    def _publish(self, frame: Frame) -> None:
        destination = frame.headers["destination"]
        own = {"destination", "receipt", "transaction", "content-length"}
        kept = {name: value for name, value in frame.headers.items() if name not in own}
        for link in self.open:
            for id, wanted in link.subscriptions.items():
                if wanted == destination:
                    head = {"subscription": id, "destination": destination}
                    head["message-id"] = f"m-{next(self._ids)}"
                    link.send("MESSAGE", {**head, "redelivered": "false", **kept}, frame.body)


@asynccontextmanager
async def recording_broker() -> AsyncGenerator[RecordingBroker]:
    """A broker that listens."""
    broker = RecordingBroker()
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()
