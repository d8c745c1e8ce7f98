"""The policy as a function, and the client that comes back by it."""

from __future__ import annotations

import pytest

from core.client import EAGER, ReconnectingClient, ReconnectPolicy, StompClient
from core.errors import ConnectionClosed, LocalProtocolError, TargetUnreachable
from core.protocol import Send, Subscribe
from core.transport import MemoryCarrier, MemoryNetwork
from tests.support.stomp_peer import memory_server

AT_ONCE = ReconnectPolicy(first=0.001, maximum=0.001, jitter=0)


def test_delays_grow_to_a_maximum_and_chance_only_shortens_them() -> None:
    policy = ReconnectPolicy(first=1, factor=2, maximum=5, jitter=0.5)
    assert [policy.delay(attempt, 0.0) for attempt in range(5)] == [1, 2, 4, 5, 5]
    assert policy.delay(1, 1.0) == 1
    assert policy.delay(10**6, 0.0) == 5


def test_a_policy_may_give_up() -> None:
    policy = ReconnectPolicy(attempts=2)
    assert policy.delay(1, 0.5) is not None
    assert policy.delay(2, 0.5) is None


def test_simulated_users_come_back_within_the_limit_of_the_kill_test() -> None:
    assert (EAGER.delay(0, 0.0) or 1) <= 0.2
    assert all((EAGER.delay(attempt, 0.0) or 9) <= 1.0 for attempt in range(50))
    assert EAGER.delay(0, 0.0) != EAGER.delay(0, 0.9)


def reconnecting(network: MemoryNetwork, policy: ReconnectPolicy = AT_ONCE) -> ReconnectingClient:
    return ReconnectingClient(lambda: StompClient("memory:x", connect=network.connect, within=5), policy)


async def test_subscriptions_outlive_connections() -> None:
    network, server = memory_server()
    async with reconnecting(network) as client:
        one = await client.subscribe("/topic/one")
        two = await client.subscribe("/topic/two", headers={"selector": "x"})
        server.peers[0].message(b"before")
        assert (await one.get(5)).body == b"before"
        server.peers[0].wire.abort()
        await server.until(lambda: len(server.peers) == 2 and len(server.peers[1].events) == 3)
        renewed = [event for event in server.peers[1].events if isinstance(event, Subscribe)]
        assert [(event.destination, event.frame.get("selector")) for event in renewed] == [
            ("/topic/one", None),
            ("/topic/two", "x"),
        ]
        server.peers[1].message(b"after")
        assert (await one.get(5)).body == b"after"
        assert [(await two.get(5)).body for _ in range(2)] == [b"before", b"after"]
        assert (one.renewals, client.reconnects) == (1, 1)
        await two.unsubscribe()
        server.peers[1].wire.abort()
        await server.until(lambda: len(server.peers) == 3 and len(server.peers[2].events) == 2)
    assert [message async for message in one] == []


async def test_sending_waits_for_the_next_connection() -> None:
    network, server = memory_server()
    async with reconnecting(network) as client:
        refused = 0

        def refuse(carrier: MemoryCarrier) -> None:
            nonlocal refused
            refused += 1
            if refused < 3:
                raise TargetUnreachable("not yet")
            server.accept_memory(carrier)

        network.serve("memory:", refuse)
        before = await client.client()
        server.peers[0].wire.close(1001, "")
        await before.wait_closed()
        await client.send("/app/x", "late", receipt=True)
        assert isinstance(server.peers[1].events[-1], Send)
        assert refused == 3


async def test_giving_up_is_told_to_iterators() -> None:
    network, server = memory_server()
    policy = ReconnectPolicy(first=0.001, attempts=2)
    async with reconnecting(network, policy) as client:
        topic = await client.subscribe("/topic/a")
        network.stop("memory:")
        server.peers[0].wire.abort()
        with pytest.raises(TargetUnreachable):
            await anext(topic)
        with pytest.raises(TargetUnreachable):
            await client.send("/topic/a", "")


async def test_the_first_connection_fails_at_once() -> None:
    with pytest.raises(TargetUnreachable):
        async with reconnecting(MemoryNetwork()):
            pass


async def test_after_the_end() -> None:
    network, server = memory_server()
    async with reconnecting(network) as client:
        pass
    with pytest.raises(ConnectionClosed):
        await client.client()
    assert server.peers[0].closed


async def test_make_must_make() -> None:
    network, _ = memory_server()
    async with StompClient("memory:x", connect=network.connect) as same:
        with pytest.raises(LocalProtocolError, match="new StompClient"):
            async with ReconnectingClient(lambda: same):
                pass
