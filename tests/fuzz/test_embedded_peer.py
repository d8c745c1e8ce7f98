"""Peers of the embedded broker that say anything in any order: it answers, and forgets them in the end."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.protocol import Frame, Heartbeat, StompParser, encode
from server.brokers.embedded import EmbeddedBroker
from server.brokers.embedded_limits import BrokerLimits
from server.brokers.embedded_peer import Peer
from server.brokers.exchange import ExchangeLimits

COMMANDS = [
    "SEND",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "ACK",
    "NACK",
    "BEGIN",
    "COMMIT",
    "ABORT",
    "CONNECT",
    "DISCONNECT",
]
PLACES = [
    "/topic/a.b", "/topic/a.*", "/topic/#", "/queue/a", "/queue/b-user1", "bare", "/exchange/amq.topic/a.b",
    "/exchange/amq.direct/k", "/exchange/none", "/amq/queue/a", "/reply-queue/a", "/temp-queue/t", "/x",
    "/topic/",
]  # fmt: skip
VALUES = {
    "destination": PLACES,
    "id": ["1", "2", "1.1", "2.1", "3.2", "9.9", "", "x"],
    "message-id": ["1.1", "2.1", "m-1"],
    "ack": ["auto", "client", "client-individual", "no"],
    "transaction": ["t", "u"],
    "receipt": ["r"],
    "prefetch-count": ["1", "0", "x"],
    "requeue": ["false", "true"],
    "durable": ["true"],
    "auto-delete": ["false"],
    "reply-to": ["/temp-queue/t", "/queue/a"],
    "accept-version": ["1.0", "1.1", "1.2", "3"],
}
headers = st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(0, 20), max_size=6).map(
    lambda chosen: {name: VALUES[name][at % len(VALUES[name])] for name, at in chosen.items()}
)
frames = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(COMMANDS[:8] * 4 + COMMANDS[8:]), headers), max_size=40
)


class Wire(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def get_protocol(self) -> asyncio.BaseProtocol:
        return asyncio.Protocol()


async def play(said: list[tuple[int, str, dict[str, str]]]) -> None:
    limits = BrokerLimits(exchange=ExchangeLimits(queue_messages=3, queues=2), errors=10)
    broker = EmbeddedBroker(limits=limits)
    loop = asyncio.get_running_loop()
    peers = [Peer(broker, loop), Peer(broker, loop)]
    wires = [Wire(), Wire()]
    for peer, wire in zip(peers, wires, strict=True):
        peer.connection_made(wire)
        peer.data_received(encode("CONNECT", {"accept-version": "1.2"}))
    for which, command, head in said:
        if not wires[which].closed:
            body = b"x" if command == "SEND" else b""
            peers[which].data_received(encode(command, head, body))
    for peer, wire in zip(peers, wires, strict=True):
        peer.flush()
        answers = StompParser().feed(wire.data)
        assert all(isinstance(answer, Frame | Heartbeat) for answer in answers)
        peer.connection_lost(None)
    status = broker.exchange.status
    assert status.unsettled == 0
    assert status.subscriptions <= 2  # durable ones
    assert status.waiting <= 3 * status.queues
    assert status.queues <= 2
    assert not broker.peers


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frames)
def test_peers_that_say_anything(said: list[tuple[int, str, dict[str, str]]]) -> None:
    asyncio.run(play(said))
