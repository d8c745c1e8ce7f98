"""Simulated users and the crowd that dials them: in memory, and on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from core.client import ReconnectPolicy
from core.errors import NoReceipts, TargetUnreachable
from core.load.crowd import Crowd
from core.load.user import SimulatedUser, UserState, user_url
from core.protocol import Disconnect, Subscribe, encode
from core.transport import MemoryCarrier
from tests.support.stomp_peer import StompServer, memory_server, websocket_server

#: No waiting in tests.
AT_ONCE = ReconnectPolicy(first=0.001, maximum=0.001, jitter=0)


class Sink:
    """Remembers what users report."""

    def __init__(self) -> None:
        self.states: list[tuple[str, UserState, str]] = []
        self.messages: list[tuple[str, str | None, bytes]] = []
        self.stamps: list[int] = []
        self.failures: list[tuple[str, str]] = []
        self._wake = asyncio.Event()

    def on_state(self, user: SimulatedUser, state: UserState, detail: str) -> None:
        self.states.append((user.name, state, detail))
        self._wake.set()

    def on_attempt_failed(self, user: SimulatedUser) -> None:
        self.failures.append((user.name, user.error))
        self._wake.set()

    def on_message(self, user: SimulatedUser, ps_id: str | None, body: bytes, received_ns: int) -> None:
        self.messages.append((user.name, ps_id, body))
        self.stamps.append(received_ns)
        self._wake.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._wake.clear()
            await self._wake.wait()

    def of(self, name: str) -> list[UserState]:
        return [state for who, state, _ in self.states if who == name]


def names(count: int) -> list[str]:
    return [f"user-{number}" for number in range(1, count + 1)]


def test_the_url_of_a_user() -> None:
    assert user_url("ws://h/ws", "a b/ü") == "ws://h/ws?user=a%20b%2F%C3%BC"
    assert user_url("ws://h/ws?x=1", "joe") == "ws://h/ws?x=1&user=joe"
    assert user_url("ws://h/{user}/ws", "a/b") == "ws://h/a%2Fb/ws"


async def test_connected_means_subscribed_and_says_on_what() -> None:
    network, server = memory_server()
    server.instance = "i7"
    sink = Sink()
    async with Crowd("memory:x", "/topic/greetings", sink, connect=network.connect) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        joe = crowd.users["joe"]
        assert (joe.state, joe.on, joe.session, joe.error) == ("connected", "i7", "s0", "")
        assert 0 < joe.connected_ns <= joe.subscribed_ns
        assert sink.of("joe") == ["connecting", "connected"]
        (peer,) = server.peers
        assert peer.user == "joe"
        assert [event.destination for event in peer.events if isinstance(event, Subscribe)] == [
            "/user/topic/greetings"
        ]
        assert crowd.counts == {"connected": 1, "connecting": 0, "disconnected": 0}
    assert peer.closed
    assert isinstance(peer.events[-1], Disconnect)
    assert sink.states[-1] == ("joe", "disconnected", "asked")


async def test_messages_come_with_their_id_and_stamp_in_order() -> None:
    network, server = memory_server()
    sink = Sink()
    async with Crowd("memory:x", "/topic/greetings", sink, connect=network.connect) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        for number in range(5):
            server.peers[0].message(b"%d" % number, {"ps-id": f"r.i1.joe.{number}"})
        server.peers[0].message(b"bare")
        await sink.until(lambda: len(sink.messages) == 6)
        assert sink.messages[:2] == [("joe", "r.i1.joe.0", b"0"), ("joe", "r.i1.joe.1", b"1")]
        assert sink.messages[5] == ("joe", None, b"bare")
        assert sink.stamps == sorted(sink.stamps)
        assert sink.stamps[0] > crowd.users["joe"].subscribed_ns
        assert crowd.users["joe"].received == 6


async def test_frames_may_be_split_over_messages_or_joined_in_one() -> None:
    network, server = memory_server()
    sink = Sink()
    async with Crowd("memory:x", "/topic/greetings", sink, connect=network.connect) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        base = {"subscription": "0", "destination": "/user/topic/greetings", "message-id": "1"}
        frames = [encode("MESSAGE", {**base, "ps-id": str(number)}, b"x" * number) for number in range(30)]
        stream = b"".join(frames)
        wire = server.peers[0].wire
        for piece in (stream[:500], stream[500:503], stream[503:900], stream[900:], *frames):
            wire.send(piece)
        await sink.until(lambda: len(sink.messages) == 60)
        assert [(id, len(body)) for _, id, body in sink.messages] == [(str(n), n) for n in range(30)] * 2


async def test_a_dead_socket_is_replaced_and_counted() -> None:
    network, server = memory_server()
    sink = Sink()
    async with Crowd(
        "memory:x", "/topic/greetings", sink, connect=network.connect, reconnect=AT_ONCE
    ) as crowd:
        crowd.add(names(3))
        await crowd.settled()
        before = crowd.users["user-2"].subscribed_ns
        server.instance = "i2"
        next(peer for peer in server.peers if peer.user == "user-2").wire.abort()
        await sink.until(lambda: sink.of("user-2")[-2:] == ["reconnecting", "connected"])
        user = crowd.users["user-2"]
        assert (user.on, user.reconnects, user.close_code) == ("i2", 1, 1006)
        assert before < user.ended_ns < user.subscribed_ns
        assert sink.of("user-1") == ["connecting", "connected"]
        server.peers[-1].message(b"again")
        await sink.until(lambda: sink.messages == [("user-2", None, b"again")])


async def test_retries_until_the_target_is_back() -> None:
    network, server = memory_server()
    sink = Sink()
    async with Crowd(
        "memory:x", "/topic/greetings", sink, connect=network.connect, reconnect=AT_ONCE
    ) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        joe = crowd.users["joe"]
        tried = asyncio.Semaphore(0)

        def refuse(_: MemoryCarrier) -> None:
            tried.release()
            raise TargetUnreachable("not today")

        network.serve("memory:", refuse)
        server.peers[0].wire.close(1012, "restart")
        await sink.until(lambda: joe.state == "reconnecting")
        assert joe.close_code == 1012
        for _ in range(3):
            await tried.acquire()
        assert "not today" in joe.error
        network.serve("memory:", server.accept_memory)
        await sink.until(lambda: joe.state == "connected")
        assert (joe.reconnects, joe.error) == (1, "")


async def test_a_user_that_never_got_in_fails_with_the_reason() -> None:
    network, _ = memory_server()
    network.stop("memory:")
    sink = Sink()
    async with Crowd("memory:x", "/topic/g", sink, connect=network.connect, reconnect=AT_ONCE) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        assert crowd.users["joe"].state == "failed"
        assert "no such server" in crowd.users["joe"].error
        assert sink.states[-1][2] == crowd.users["joe"].error
        crowd.reconnect(["joe"])
        assert crowd.users["joe"].state == "connecting"
        await crowd.settled()
        assert sink.of("joe") == ["connecting", "failed", "connecting", "failed"]


async def test_an_error_of_the_server_is_the_reason() -> None:
    network, server = memory_server()
    server.refuse.add("/user/topic/secret")
    sink = Sink()
    async with Crowd("memory:x", "/topic/secret", sink, connect=network.connect, reconnect=AT_ONCE) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        joe = crowd.users["joe"]
        assert (joe.state, joe.close_code) == ("failed", 1002)
        assert "no such place" in joe.error


async def test_no_receipt_is_a_failed_attempt() -> None:
    network, server = memory_server()
    server.give_receipts = False
    sink = Sink()
    async with Crowd(
        "memory:x", "/topic/g", sink, connect=network.connect, reconnect=AT_ONCE, dial_timeout=0.02
    ) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        assert "no RECEIPT" in crowd.users["joe"].error
    assert all(peer.closed for peer in server.peers)


async def test_asked_for_disconnects_are_no_losses() -> None:
    network, server = memory_server()
    sink = Sink()
    async with Crowd("memory:x", "/topic/g", sink, connect=network.connect, reconnect=AT_ONCE) as crowd:
        crowd.add(names(2))
        await crowd.settled()
        crowd.disconnect(["user-1"])
        user = crowd.users["user-1"]
        assert (user.state, user.reconnects) == ("disconnected", 0)
        assert sink.states[-1] == ("user-1", "disconnected", "asked")
        await server.until(lambda: server.peers[0].closed)
        crowd.disconnect(["user-1"])  # harmless
        crowd.reconnect(["user-1"])
        await crowd.settled()
        assert (user.state, user.reconnects) == ("connected", 0)
        assert sink.of("user-1") == ["connecting", "connected", "disconnected", "connecting", "connected"]


async def test_what_was_under_way_at_a_disconnect_still_arrives() -> None:
    network, server = memory_server()
    sink = Sink()
    async with Crowd("memory:x", "/topic/g", sink, connect=network.connect) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        server.peers[0].message(b"sent before the goodbye")
        crowd.disconnect(["joe"])
        await server.until(lambda: server.peers[0].closed)
        await sink.until(lambda: bool(sink.messages))
        assert sink.messages == [("joe", None, b"sent before the goodbye")]


async def test_moving_a_connected_user() -> None:
    network, server = memory_server()
    sink = Sink()
    async with Crowd("memory:x", "/topic/g", sink, connect=network.connect, reconnect=AT_ONCE) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        server.instance = "i2"
        crowd.reconnect(["joe"])
        await crowd.settled()
        joe = crowd.users["joe"]
        assert (joe.state, joe.on, joe.reconnects) == ("connected", "i2", 0)
        assert sink.of("joe") == ["connecting", "connected", "disconnected", "connecting", "connected"]
        assert [peer.closed for peer in server.peers] == [True, False]


async def test_leaving_in_the_middle_of_dialling() -> None:
    network, server = memory_server()
    server.answer_connect = False
    sink = Sink()
    async with Crowd("memory:x", "/topic/g", sink, connect=network.connect, dialers=4) as crowd:
        crowd.add(names(10))
        await server.until(lambda: len(server.peers) == 4)
        crowd.disconnect(["user-2", "user-9"])
        await server.until(lambda: server.peers[1].closed)
    assert all(peer.closed for peer in server.peers)
    assert {user.state for user in crowd.users.values()} == {"disconnected"}


async def test_no_more_handshakes_than_dialers() -> None:
    network, server = memory_server()
    most = 0

    def accept(carrier: MemoryCarrier) -> None:
        nonlocal most
        server.accept_memory(carrier)
        most = max(most, sum(not peer.session.subscriptions for peer in server.peers))

    network.serve("memory:", accept)
    async with Crowd("memory:x", "/topic/g", Sink(), connect=network.connect, dialers=5) as crowd:
        crowd.add(names(50))
        await crowd.settled()
        assert crowd.counts["connected"] == 50
    assert most <= 5


async def test_a_ramp_spreads_users_over_time() -> None:
    network, _ = memory_server()
    async with Crowd("memory:x", "/topic/g", Sink(), connect=network.connect) as crowd:
        crowd.add(names(20), over=0.2)
        assert len(crowd.users) < 20
        await crowd.settled()
        assert crowd.counts["connected"] == 20


async def test_heartbeats_are_sent() -> None:
    network, server = memory_server()
    server.heartbeat = (0, 50)
    async with Crowd("memory:x", "/topic/g", Sink(), connect=network.connect, heartbeat=(50, 0)) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        await server.until(lambda: server.peers[0].beats > 1)
        assert crowd.users["joe"].reconnects == 0


async def test_a_silent_server_is_left() -> None:
    network, server = memory_server()
    server.heartbeat = (50, 0)
    sink = Sink()
    async with Crowd(
        "memory:x", "/topic/g", sink, connect=network.connect, reconnect=AT_ONCE, heartbeat=(0, 50)
    ) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        await sink.until(lambda: crowd.users["joe"].reconnects == 1)
        assert "no heart-beat" in sink.states[2][2]


async def test_a_server_that_breaks_stomp_is_left_with_a_reason() -> None:
    network, server = memory_server()
    sink = Sink()
    async with Crowd("memory:x", "/topic/g", sink, connect=network.connect, reconnect=AT_ONCE) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        server.peers[0].wire.send(b"NONSENSE\n\n\0")
        await sink.until(lambda: sink.of("joe")[-2:] == ["reconnecting", "connected"])
        assert "broke STOMP" in sink.states[-2][2]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_on_real_sockets(loop: str) -> None:
    factory = asyncio.new_event_loop
    if loop == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop

    async def scene() -> None:
        async with websocket_server() as (url, server):
            await _scene(url, server)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(scene())


async def _scene(url: str, server: StompServer) -> None:
    sink = Sink()
    async with Crowd(url, "/topic/greetings", sink, reconnect=AT_ONCE) as crowd:
        crowd.add(names(20))
        await crowd.settled()
        assert crowd.counts["connected"] == 20
        for peer in server.peers:
            for number in range(10):
                peer.message(b"x" * 100, {"ps-id": f"{peer.user}.{number}"})
        await sink.until(lambda: len(sink.messages) == 200)
        for name in names(20):
            assert [id for who, id, _ in sink.messages if who == name] == [f"{name}.{n}" for n in range(10)]
        for peer in server.peers[:5]:
            peer.wire.abort()
        await sink.until(lambda: crowd.counts["connected"] == 20 and len(server.peers) == 25)
        assert sum(user.reconnects for user in crowd.users.values()) == 5
    await server.until(lambda: all(peer.closed for peer in server.peers))


async def test_a_user_of_another_name_fails_at_once_and_never_subscribes() -> None:
    network, server = memory_server()
    server.name_of = lambda user: "alice"
    sink = Sink()
    async with Crowd("memory:x", "/topic/g", sink, connect=network.connect, reconnect=AT_ONCE) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        joe = crowd.users["joe"]
        assert (joe.state, joe.known_as) == ("failed", "alice")
        assert joe.error == "the server knows 'joe' as 'alice' (user-name of CONNECTED)"
    assert len(server.peers) == 1
    assert not [event for event in server.peers[0].events if isinstance(event, Subscribe)]


async def test_a_user_of_no_name_is_connected() -> None:
    network, server = memory_server()
    server.name_of = lambda user: ""
    async with Crowd("memory:x", "/topic/g", Sink(), connect=network.connect) as crowd:
        crowd.add(["joe"])
        await crowd.settled()
        assert (crowd.users["joe"].state, crowd.users["joe"].known_as) == ("connected", "")


async def test_what_was_waited_for_is_said_while_it_tries_again() -> None:
    network, server = memory_server()
    server.answer_connect = False
    sink = Sink()
    async with Crowd(
        "memory:x", "/topic/g", sink, connect=network.connect, reconnect=AT_ONCE, dial_timeout=0.02
    ) as crowd:
        crowd.add(["joe"])
        await sink.until(lambda: bool(sink.failures))
        words = "memory:x?user=joe: no CONNECTED for the CONNECT within 0.02 s"
        assert sink.failures[0] == ("joe", words)


async def test_a_server_that_answers_no_receipt_is_given_up_after_one_attempt_that_says_so() -> None:
    network, server = memory_server()
    server.give_receipts = False
    sink = Sink()
    async with Crowd(
        "memory:x", "/topic/greetings", sink, connect=network.connect, reconnect=AT_ONCE, dial_timeout=0.05
    ) as crowd:
        crowd.add(["joe"])
        await sink.until(lambda: sink.of("joe")[-1:] == ["failed"])
    assert len(server.peers) == 1
    assert "no RECEIPT for the SUBSCRIBE to /user/topic/greetings within 0.05 s" in crowd.users["joe"].error
    assert NoReceipts.MEANING in crowd.users["joe"].error


async def test_a_receipt_that_is_late_once_is_asked_for_again_where_others_came() -> None:
    network, server = memory_server()
    sink = Sink()
    async with Crowd(
        "memory:x", "/topic/greetings", sink, connect=network.connect, reconnect=AT_ONCE, dial_timeout=0.05
    ) as crowd:
        crowd.add(["joe"])
        await sink.until(lambda: sink.of("joe")[-1:] == ["connected"])
        server.give_receipts = False
        crowd.add(["ann"])
        await sink.until(lambda: len(sink.failures) == 1)
        server.give_receipts = True
        await sink.until(lambda: sink.of("ann")[-1:] == ["connected"])
    assert "no RECEIPT" in sink.failures[0][1]
