"""What is pipelined behind a frame that the embedded broker refuses is not acted on."""

from __future__ import annotations

import asyncio

from core.protocol import Frame, StompParser, encode
from server.brokers.embedded import EmbeddedBroker

CONNECT = encode("CONNECT", {"accept-version": "1.2"})


class Closed(EmbeddedBroker):
    """Admits nobody."""

    def admits(self, passcode: str | None) -> bool:
        return False


async def answers(broker: EmbeddedBroker, wire: bytes) -> list[Frame]:
    """Everything that the broker answers until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(wire)
    frames = [event for event in StompParser().feed(await reader.read()) if isinstance(event, Frame)]
    writer.close()
    await writer.wait_closed()
    return frames


async def test_behind_a_refused_connect() -> None:
    async with Closed() as broker:
        frames = await answers(broker, CONNECT + encode("SEND", {"destination": "/queue/a"}, b"x"))
        assert [frame.headers["message"] for frame in frames] == ["Bad CONNECT"]
        assert broker.messages == 0


async def test_behind_a_refused_send() -> None:
    async with EmbeddedBroker() as broker:
        sends = [
            encode("SEND", {"destination": name, "receipt": name}) for name in ("/topic/a", "/x", "/topic/b")
        ]
        frames = await answers(broker, CONNECT + b"".join(sends))
        assert [frame.command for frame in frames] == ["CONNECTED", "RECEIPT", "ERROR"]
        assert frames[2].headers["receipt-id"] == "/x"
        assert broker.messages == 1
