"""StompClient against a small STOMP server, in memory and once on a real socket."""

from __future__ import annotations

import asyncio

import pytest

from core.client import StompClient
from core.errors import (
    ConnectionClosed,
    ExitCode,
    HeartbeatLost,
    LocalProtocolError,
    RemoteProtocolError,
    ServerError,
    TargetUnreachable,
    UsageError,
    UserNameDiffers,
)
from core.protocol import Abort, Ack, Begin, Commit, Connect, Disconnect, Nack, Send, Subscribe, Unsubscribe
from core.transport import CloseInfo, MemoryNetwork
from tests.support.stomp_peer import StompServer, memory_server, websocket_server


def client_of(network: MemoryNetwork, **options: object) -> StompClient:
    return StompClient("memory://h/ws", connect=network.connect, **options)  # type: ignore[arg-type]


async def test_connecting_says_who_and_learns_what() -> None:
    network, server = memory_server()
    async with client_of(network, user="jo e", login="l", passcode="p", headers={"x": "1"}) as client:
        (peer,) = server.peers
        connect = peer.events[0]
        assert isinstance(connect, Connect)
        assert (connect.login, connect.passcode, connect.host) == ("l", "p", "h")
        assert connect.frame.headers["x"] == "1"
        assert peer.user == "jo e"
        assert client.connected.version == "1.2"
        assert client.instance == "i1"
        assert client.alive
    assert not client.alive
    assert isinstance(peer.events[-1], Disconnect)
    assert peer.closed
    assert (await client.wait_closed()).code == 1000


async def test_messages_of_a_subscription_in_order() -> None:
    network, server = memory_server()
    async with client_of(network) as client:
        greetings = await client.subscribe("/user/topic/greetings", headers={"selector": "a"})
        (peer,) = server.peers
        subscribe = peer.events[-1]
        assert isinstance(subscribe, Subscribe)
        assert subscribe.frame.headers["selector"] == "a"
        for number in range(3):
            peer.message(b"%d" % number)
        assert [(await anext(greetings)).body for _ in range(3)] == [b"0", b"1", b"2"]
        peer.message(b"last")
        await greetings.unsubscribe()
        assert isinstance(peer.events[-1], Unsubscribe)
        assert [message.body async for message in greetings] == [b"last"]
        with pytest.raises(EOFError):
            await greetings.get()


async def test_a_stomp_10_server_names_only_the_destination() -> None:
    network, server = memory_server()
    async with client_of(network) as client:
        topic = await client.subscribe("/topic/a")
        other = await client.subscribe("/topic/b")
        server.peers[0].wire.send(b"MESSAGE\ndestination:/topic/a\nmessage-id:1\n\nold\0")
        assert (await topic.get(5)).body == b"old"
        assert other.waiting == 0


async def test_sending_with_and_without_receipt() -> None:
    network, server = memory_server()
    async with client_of(network) as client:
        await client.send("/app/hello", "zwölf", headers={"content-type": "text/plain"}, receipt=True)
        sent = server.peers[0].events[-1]
        assert isinstance(sent, Send)
        assert (sent.destination, sent.frame.body.decode()) == ("/app/hello", "zwölf")
        await client.send("/app/hello", b"\x00")
        await server.until(lambda: len(server.peers[0].events) == 3)


async def test_acknowledging_and_transactions() -> None:
    network, server = memory_server()
    async with client_of(network) as client:
        work = await client.subscribe("/queue/work", ack="client-individual")
        (peer,) = server.peers
        for number in range(2):
            peer.message(b"", {"ack": f"a{number}"})
        await client.ack(await work.get(1), receipt=True)
        async with client.transaction() as name:
            await client.nack(await work.get(1), transaction=name)
            await client.send("/queue/other", "x", transaction=name)
        with pytest.raises(ZeroDivisionError):
            async with client.transaction():
                raise ZeroDivisionError
        await client.send("/queue/other", "end", receipt=True)
        kinds = [type(event) for event in peer.events[2:]]
        assert kinds == [Ack, Begin, Nack, Send, Commit, Begin, Abort, Send]


async def test_the_server_refuses_connect() -> None:
    network, server = memory_server()
    server.refuse_connect = "wrong passcode"
    with pytest.raises(ServerError, match="wrong passcode"):
        async with client_of(network):
            pass


async def test_the_server_refuses_a_subscription() -> None:
    network, server = memory_server()
    server.refuse.add("/topic/secret")
    async with client_of(network) as client:
        other = await client.subscribe("/topic/open")
        with pytest.raises(ServerError, match="no such place") as caught:
            await client.subscribe("/topic/secret")
        assert caught.value.body == b"go away"
        with pytest.raises(ServerError):
            await anext(other)
        with pytest.raises(ServerError):
            await client.send("/topic/open", "")
        assert (await client.wait_closed()).code == 1002


async def test_nobody_answers_connect() -> None:
    network, server = memory_server()
    server.answer_connect = False
    with pytest.raises(TargetUnreachable, match="did not answer CONNECT"):
        async with client_of(network, within=0.05):
            pass
    await server.until(lambda: server.peers[0].closed)


async def test_nobody_there() -> None:
    with pytest.raises(TargetUnreachable):
        async with client_of(MemoryNetwork()):
            pass


async def test_no_receipt() -> None:
    network, server = memory_server()
    async with client_of(network, within=0.05) as client:
        server.give_receipts = False
        with pytest.raises(TargetUnreachable, match="no RECEIPT for SUBSCRIBE"):
            await client.subscribe("/app/feed")
        await server.until(lambda: isinstance(server.peers[0].events[-1], Unsubscribe))
        await client.subscribe("/app/feed", receipt=False)
        server.give_receipts = True


async def test_a_lost_connection_is_told_to_everybody_after_what_came() -> None:
    network, server = memory_server()
    ended: list[CloseInfo] = []
    async with client_of(network, on_close=ended.append) as client:
        topic = await client.subscribe("/topic/a")
        (peer,) = server.peers
        server.give_receipts = False
        waiting = asyncio.ensure_future(client.send("/topic/a", "", receipt=True))
        await server.until(lambda: isinstance(peer.events[-1], Send))
        peer.message(b"before")
        await topic.get(1)
        peer.message(b"queued")
        peer.wire.close(1012, "restarting")
        with pytest.raises(ConnectionClosed, match="1012 restarting"):
            await waiting
        assert (await anext(topic)).body == b"queued"
        with pytest.raises(ConnectionClosed) as caught:
            await anext(topic)
        assert (caught.value.code, caught.value.reason) == (1012, "restarting")
        with pytest.raises(ConnectionClosed):
            await client.send("/topic/a", "")
        await topic.unsubscribe()
    assert [info.code for info in ended] == [1012]


async def test_a_server_that_breaks_the_protocol() -> None:
    network, server = memory_server()
    async with client_of(network) as client:
        topic = await client.subscribe("/topic/a")
        server.peers[0].wire.send(b"MESSAGE\nbroken\n\n\0")
        with pytest.raises(RemoteProtocolError):
            await anext(topic)
        assert (await client.wait_closed()).code == 1002


async def test_heartbeats_both_ways() -> None:
    network, server = memory_server()
    server.heartbeat = (0, 20)
    async with client_of(network, heartbeat=(20, 0)) as client:
        await server.until(lambda: server.peers[0].beats >= 3)
        assert client.alive
    server.heartbeat = (20, 0)
    async with client_of(network, heartbeat=(0, 20)) as client:
        topic = await client.subscribe("/topic/a")
        with pytest.raises(HeartbeatLost):
            await anext(topic)


async def test_a_client_connects_once() -> None:
    network, _ = memory_server()
    client = client_of(network)
    with pytest.raises(LocalProtocolError):
        _ = client.connected
    async with client:
        pass
    with pytest.raises(LocalProtocolError, match="once"):
        async with client:
            pass


async def full(server: StompServer, count: int) -> None:
    for number in range(count):
        server.peers[0].message(b"%d" % number)


@pytest.mark.parametrize(
    ("policy", "kept"), [("drop-oldest", [b"2", b"3", b"4"]), ("drop-newest", [b"0", b"1", b"2"])]
)
async def test_a_full_subscription_drops_and_counts(
    policy: str, kept: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    network, server = memory_server()
    async with client_of(network) as client:
        topic = await client.subscribe("/topic/a", capacity=3, when_full=policy)  # type: ignore[arg-type]
        await full(server, 5)
        await client.send("/app/x", "", receipt=True)  # behind the messages
        assert [(await anext(topic)).body for _ in range(3)] == kept
        assert topic.dropped == 2
        assert topic.waiting == 0
    assert sum("full" in record.message for record in caplog.records) == 1


async def test_a_full_subscription_may_pause_the_connection_instead() -> None:
    network, server = memory_server()
    async with client_of(network, within=0.05) as client:
        topic = await client.subscribe("/topic/a", capacity=4, when_full="pause")
        await full(server, 50)
        await asyncio.sleep(0)
        with pytest.raises(TargetUnreachable) as caught:
            await client.send("/app/x", "", receipt=True)
        assert "paused by full subscriptions" in caught.value.hint
        assert topic.waiting == 5
        assert [(await anext(topic)).body for _ in range(50)] == [b"%d" % n for n in range(50)]
        assert topic.dropped == 0
        await client.send("/app/x", "", receipt=True)


async def test_closing_a_paused_client() -> None:
    network, server = memory_server()
    async with client_of(network) as client:
        await client.subscribe("/topic/a", capacity=1, when_full="pause")
        await full(server, 5)
        await server.until(lambda: True)
    assert server.peers[0].closed


async def test_on_a_real_socket() -> None:
    async with websocket_server() as (url, server):
        async with StompClient(url, user="lijian") as client:
            greetings = await client.subscribe("/user/topic/greetings")
            assert server.peers[0].user == "lijian"
            server.peers[0].message("hello:✓".encode())
            assert (await greetings.get(5)).body.decode() == "hello:✓"
            await client.send("/app/hello", "ssss", receipt=True)
        assert client.instance == "i1"


async def test_a_server_that_knows_the_user_by_another_name() -> None:
    async with websocket_server() as (url, server):
        server.name_of = lambda user: "alice"
        with pytest.raises(UserNameDiffers, match="knows 'lijian' as 'alice'") as refused:
            async with StompClient(url, user="lijian"):
                pass
        assert (refused.value.name, refused.value.known_as) == ("lijian", "alice")
        assert refused.value.exit_code == ExitCode.UNREACHABLE
        await server.until(lambda: server.peers[0].closed)
        for wish in ("alice", ""):
            async with StompClient(url, user="lijian", known_as=wish) as client:
                assert client.connected.user_name == "alice"
        server.name_of = lambda user: ""
        async with StompClient(url, user="lijian") as client:
            assert client.connected.user_name is None


@pytest.mark.parametrize("url", ["ws://[::1/ws", "http://[::1/ws?access_token=secret"])
def test_what_is_no_url_is_said_at_once(url: str) -> None:
    with pytest.raises(UsageError, match="not a URL") as refused:
        StompClient(url, user="joe")
    assert "secret" not in str(refused.value)
