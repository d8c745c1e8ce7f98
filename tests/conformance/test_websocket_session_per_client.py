"""Cases 12 and 15 with ``relay = "per-client"``: each client has a broker connection, as with Spring."""

from __future__ import annotations

from server.brokers.embedded import EmbeddedBroker

from ..support.broker_tap import broker_tap
from ..support.instances import one_instance
from ..support.processes import until
from ..support.raw_stomp import raw_stomp
from .test_websocket_session import count_leaving


async def test_case_12_connected_has_all_the_brokers_headers_and_the_users_name() -> None:
    """The broker's CONNECTED comes through with all its headers; ``user-name`` is added."""
    async with (
        EmbeddedBroker() as broker,
        broker_tap(broker.url) as (url, lines),
        one_instance(broker_url=url, relay="per-client") as instance,
        raw_stomp(instance.url, "/ws?user=joe") as client,
    ):
        headers = (await client.connect(**{"heart-beat": "10000,10000"})).headers
        answered = lines[-1].heard[0]
        assert answered.command == "CONNECTED" and "server" in answered.headers
        assert {name: headers.get(name) for name in answered.headers} == answered.headers
        assert headers["user-name"] == "joe" and "user-name" not in answered.headers


async def test_case_15_a_lost_websocket_disconnects_at_the_broker_and_leaves_the_registry_once() -> None:
    """The client's own broker connection gets DISCONNECT and is closed; its user is gone, once."""
    async with (
        EmbeddedBroker() as broker,
        broker_tap(broker.url) as (url, lines),
        one_instance(broker_url=url, relay="per-client") as instance,
        raw_stomp(instance.url, "/ws?user=joe") as client,
    ):
        await client.connect()
        line = lines[-1]
        left = count_leaving(instance)
        client.socket.transport.abort()
        await until(lambda: line.closed, "the broker connection is closed")
        assert [frame.command for frame in line.said] == ["CONNECT", "DISCONNECT"]
        await until(lambda: instance.sessions == 0, "the session is gone")
        assert left == ["joe"] and not instance.registry.places("joe")
        assert not lines[0].closed, "the instance's own connection stays"
