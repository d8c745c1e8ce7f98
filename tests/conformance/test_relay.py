"""Cases 34 to 37: the relay's connections to the broker, against a broker that remembers every frame.

Our defaults deviate from Spring in two ways: all clients share one connection, and they survive a loss
of the broker. So these cases run with ``relay = "per-client"``, or with ``on_broker_loss = "spring"``,
and say which; 36 runs both ways of relaying.
"""

from __future__ import annotations

import aiohttp
import pytest

from core.errors import BrokerUnavailable
from core.protocol import Frame
from server.brokers.reconnecting import RelayTimes
from server.brokers.stomp import StompBroker

from ..support.instances import one_instance, push
from ..support.processes import until
from ..support.raw_stomp import joined, raw_stomp
from ..support.recording_broker import recording_broker

#: Heart-beats that a test can wait for.
QUICK = RelayTimes(heartbeat_ms=(200, 200))


def words(frame: Frame, *names: str) -> tuple[str | None, ...]:
    return tuple(frame.headers.get(name) for name in names)


async def test_case_34_both_connects_carry_the_virtual_host_and_the_configured_logins() -> None:
    """With a virtual host both CONNECTs have it as ``host``; logins are the configured ones (per-client)."""
    async with (
        recording_broker() as broker,
        one_instance(
            broker_url=broker.url("system:s1", "ABC"),
            relay="per-client",
            client_login="client",
            client_passcode="c1",
        ) as instance,
        raw_stomp(instance.url, "/ws?user=joe") as client,
    ):
        await client.connect(host="mine", login="joe", passcode="own", token="t-1", shop="s-1")
        system, private = broker.links
        assert words(system.connect, "host", "login", "passcode") == ("ABC", "system", "s1")
        assert words(private.connect, "host", "login", "passcode") == ("ABC", "client", "c1")
        assert private.connect.headers["shop"] == "s-1", "every other header is the client's"
        assert "token" not in private.connect.headers, "but what proves who it is goes to no broker"


async def test_case_34_without_a_virtual_host_no_connect_has_a_host() -> None:
    """Neither CONNECT has ``host``, even if the client sent one (per-client)."""
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url("both:x"), relay="per-client") as instance,
        raw_stomp(instance.url) as client,
    ):
        await client.connect(host="mine", login="joe")
        for link in broker.links:
            assert words(link.connect, "host", "login", "passcode") == (None, "both", "x")


@pytest.mark.parametrize("ask", ["CONNECT", "SEND"])
async def test_case_35_without_a_broker_a_client_is_told_and_closed(ask: str) -> None:
    """CONNECT or SEND anywhere: ERROR, 1002, its connection dropped; we cannot send (per-client)."""
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), relay="per-client") as instance,
        raw_stomp(instance.url) as client,
    ):
        if ask == "SEND":
            await client.connect()
        broker.stop_listening()
        broker.links[0].close()  # the instance's own; the client's stays
        await until(lambda: not instance.broker.available, "the loss is seen")
        if ask == "SEND":
            assert not broker.links[1].closed, "a lost system connection alone ends nobody"
            await client.send("SEND", {"destination": "/app/hello"}, b"x")
        else:
            await client.send("CONNECT", {"accept-version": "1.2"})
        error = await client.expect("ERROR")
        assert error.headers == {"message": "Broker not available.", "content-length": "0"}
        assert (await client.closed())[0] == 1002
        await broker.until(lambda: not broker.open, "the client's connection is dropped")
        with pytest.raises(BrokerUnavailable):
            instance.template.send("/topic/news", "x")


async def test_case_35_shared_connection_in_springs_way() -> None:
    """The same with the shared connection and ``on_broker_loss = "spring"``; handlers still run."""
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), on_broker_loss="spring") as instance,
        joined(instance.url, "joe") as joe,
        raw_stomp(instance.url) as late,
    ):
        await broker.stop()
        error = await joe.expect("ERROR")
        assert error.headers["message"] == "Connection to broker closed."
        assert (await joe.closed())[0] == 1002
        await late.send("CONNECT", {"accept-version": "1.2"})
        assert (await late.expect("ERROR")).headers["message"] == "Broker not available."
        assert (await late.closed())[0] == 1002


async def test_case_36_app_messages_alone_keep_the_clients_broker_connection_alive() -> None:
    """Only SENDs for the application: the broker still gets the promised heart-beats (per-client)."""
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), relay="per-client") as instance,
        raw_stomp(instance.url) as client,
    ):
        await client.connect(**{"heart-beat": "200,0"})
        private = broker.links[1]
        while private.beats < 3:
            await client.send("SEND", {"destination": "/app/hello"}, b"x")
            await broker.until(lambda beats=private.beats: private.beats > beats, "a heart-beat")
        assert not private.got("SEND")


async def test_case_36_the_shared_connection_beats_whatever_clients_do() -> None:
    """The instance's connection beats by itself, with clients that are for the application only."""
    async with recording_broker() as broker:
        shared = StompBroker(broker.url(), times=QUICK)
        async with one_instance(broker=shared) as instance, raw_stomp(instance.url) as client:
            await client.connect()
            system = broker.links[0]
            before = len(system.got("SEND"))
            while system.beats < 3:
                await client.send("SEND", {"destination": "/app/nobody"}, b"x")
                await broker.until(lambda beats=system.beats: system.beats > beats, "a heart-beat")
            assert all(
                frame.headers["destination"].startswith("/topic/pushscope.")
                for frame in system.got("SEND")[before:]
            )


@pytest.mark.parametrize("relay", ["per-client", "multiplexed"])
async def test_case_37_a_restart_of_the_broker_ends_clients_and_renews_our_subscriptions(relay: str) -> None:
    """Every client gets ERROR; away, then back; we subscribe again (per-client, or loss in Spring's way)."""
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), relay=relay, on_broker_loss="spring") as instance,
        joined(instance.url, "joe") as joe,
        joined(instance.url, "ann") as ann,
    ):
        subscribed = set(broker.links[0].subscriptions.values())
        await broker.stop()
        for client in (joe, ann):
            assert (await client.expect("ERROR")).headers["message"] == "Connection to broker closed."
            assert (await client.closed())[0] == 1002
        await until(lambda: not instance.broker.available, "the loss is seen")
        await broker.start()
        await until(lambda: instance.broker.available, "the return is seen", within=5)
        wanted = {name for name in subscribed if "-user" not in name}
        await broker.until(lambda: wanted <= set(broker.links[-1].subscriptions.values()), "renewed")
        changes = instance.info()["broker"]["changes"]
        assert [change["available"] for change in changes] == [True, False, True]
        assert changes[1]["reason"] and changes[1]["node"].startswith("stomp://127.0.0.1:")


async def test_case_37_only_messages_of_our_subscriptions_are_heard() -> None:
    """A MESSAGE of an unknown destination is ignored, one of a known destination handled once."""
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), local_shortcut=False) as instance,
        joined(instance.url, "joe") as joe,
    ):
        system = broker.links[0]
        system.send(
            "MESSAGE", {"subscription": "99", "destination": "/topic/unknown", "message-id": "1"}, b"?"
        )
        unresolved = instance.settings.unresolved_destination
        id = next(id for id, name in system.subscriptions.items() if name == unresolved)
        head = {"subscription": id, "destination": unresolved, "message-id": "2"}
        system.send("MESSAGE", {**head, "simpOrigDestination": "/user/joe/topic/greetings"}, b"once")
        assert (await joe.expect("MESSAGE")).body == b"once"
        await joe.nothing_before_receipt()


async def test_clients_survive_a_restart_of_the_broker_by_default() -> None:
    """The default: WebSockets stay, pushes are refused meanwhile, subscriptions are made again."""
    async with (
        recording_broker() as broker,
        one_instance(broker_url=broker.url(), local_shortcut=False) as instance,
        joined(instance.url, "joe") as joe,
        aiohttp.ClientSession() as http,
    ):
        await broker.stop()
        await until(lambda: not instance.broker.available, "the loss is seen")
        status, answer = await push(http, instance.url, user="joe", payload="lost?")
        assert status == 503 and "not available" in answer["error"]
        await broker.start()
        await until(lambda: instance.broker.available, "the return is seen")
        assert (await push(http, instance.url, user="joe", payload="again", confirm=True))[0] == 202
        assert (await joe.expect("MESSAGE")).body == b"again"
        assert instance.counters.refused == 1 and instance.counters.broker_losses == 1
