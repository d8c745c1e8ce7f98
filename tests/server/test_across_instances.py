"""Pushes across instances: user destinations over the embedded broker, and what keeps them whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from server.brokers.embedded import EmbeddedBroker
from server.discovery import Discovery, DiscoverySettings
from server.messages.stages import Stage

from ..support.instances import Cluster, cluster
from ..support.processes import until
from ..support.raw_stomp import joined, raw_stomp


@pytest.fixture
async def pair() -> AsyncIterator[Cluster]:
    async with cluster(2) as found:
        yield found


async def test_the_articles_test_reaches_the_user_through_every_instance(pair: Cluster) -> None:
    one, two = pair.instances
    async with joined(one.url, "lijian") as client:
        for instance in (one, two):
            async with pair.http.get(f"{instance.url}/test?username=lijian") as response:
                assert (response.status, await response.read()) == (200, b"")
            message = await client.expect("MESSAGE")
            assert message.body == b"hello:lijian"
            assert message.headers["destination"] == "/user/topic/greetings"
        await client.nothing_before_receipt()


async def test_after_the_receipt_every_instance_knows_the_session(pair: Cluster) -> None:
    one, two = pair.instances
    for number in range(20):
        async with joined(one.url, f"u{number}") as client:
            status, answer = await pair.push(two, user=f"u{number}", payload="x")
            assert (status, answer["sessions"]) == (202, 1)
            assert (await client.expect("MESSAGE")).body == b"x"


async def test_all_sessions_of_a_user_get_one_copy_each_wherever_they_are(pair: Cluster) -> None:
    one, two = pair.instances
    async with (
        joined(one.url, "joe") as first,
        joined(two.url, "joe") as second,
        joined(one.url, "joe") as third,
    ):
        for number, instance in enumerate((one, two)):
            _, answer = await pair.push(instance, user="joe", payload=f"{number}")
            assert answer["sessions"] == 3
        for client in (first, second, third):
            assert {(await client.expect("MESSAGE")).body for _ in range(2)} == {b"0", b"1"}
            await client.nothing_before_receipt()


async def test_other_users_get_nothing(pair: Cluster) -> None:
    one, two = pair.instances
    async with joined(one.url, "joe") as joe, joined(two.url, "pete") as pete:
        await pair.push(two, user="joe", payload="for joe")
        await joe.expect("MESSAGE")
        await pete.nothing_before_receipt()


async def test_names_with_slashes_and_other_letters_are_found(pair: Cluster) -> None:
    """Conformance case 24."""
    one, two = pair.instances
    name = "https://joe.openid.example.org/é"
    async with raw_stomp(one.url) as client:
        await client.connect(login=name)
        await client.subscribe("/user/topic/greetings")
        _, answer = await pair.push(two, user=name, payload="x")
        assert answer["sessions"] == 1
        assert (await client.expect("MESSAGE")).body == b"x"


async def test_queues_of_users_work_like_topics(pair: Cluster) -> None:
    one, two = pair.instances
    async with joined(one.url, "joe", "/user/queue/inbox") as client:
        for instance in (one, two):
            await pair.push(instance, user="joe", destination="/queue/inbox", payload="x")
            message = await client.expect("MESSAGE")
            assert message.headers["destination"] == "/user/queue/inbox"


async def test_a_push_without_a_user_reaches_everybody_on_the_destination(pair: Cluster) -> None:
    one, two = pair.instances
    async with (
        joined(one.url, "joe", "/topic/news") as joe,
        joined(two.url, "pete", "/topic/news") as pete,
        joined(two.url, "ann", "/topic/other") as ann,
    ):
        status, _ = await pair.push(one, destination="/topic/news", payload="x")
        assert status == 202
        for client in (joe, pete):
            assert (await client.expect("MESSAGE")).headers["destination"] == "/topic/news"
        await ann.nothing_before_receipt()


async def test_order_holds_for_each_instance_and_user(pair: Cluster) -> None:
    one, two = pair.instances
    async with joined(one.url, "joe") as joe:

        async def pushes(name: str, url: str) -> None:
            # One connection, pipelined: the pushes of one way are in order.
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http:
                for number in range(150):
                    body = {"user": "joe", "destination": "/topic/greetings", "payload": f"{name}:{number}"}
                    async with http.post(f"{url}/push", json=body) as response:
                        assert response.status == 202

        await asyncio.gather(pushes("one", one.url), pushes("two", two.url))
        bodies = [(await joe.expect("MESSAGE")).body.decode() for _ in range(300)]
    for name in ("one", "two"):
        numbers = [int(body.split(":")[1]) for body in bodies if body.startswith(name)]
        assert numbers == list(range(150))


async def test_order_holds_while_a_user_arrives(pair: Cluster) -> None:
    """What was unresolved when it was pushed must not come after what was pushed later."""
    one, two = pair.instances
    for host in (one, two):
        for round_ in range(5):
            stop = asyncio.Event()
            user = f"{host.settings.id}-{round_}"

            async def pushes(user: str = user, stop: asyncio.Event = stop) -> int:
                number = 0
                while not stop.is_set():
                    await pair.push(one, user=user, payload=str(number))
                    number += 1
                return number

            async with asyncio.TaskGroup() as group, raw_stomp(host.url, f"/ws?user={user}") as client:
                pushing = group.create_task(pushes())
                await client.connect()
                await client.send("SUBSCRIBE", {"id": "s0", "destination": "/user/topic/greetings"})
                got = [int((await client.expect("MESSAGE")).body) for _ in range(20)]
                stop.set()
                await pushing
            assert got == list(range(got[0], got[0] + 20))


async def test_a_message_for_nobody_is_recorded_and_harmless(pair: Cluster) -> None:
    one, two = pair.instances
    status, answer = await pair.push(one, user="nobody", payload="x", headers={"ps-id": "lost-1"})
    assert (status, answer["sessions"]) == (202, 0)
    assert one.stages.get("lost-1") == Stage.NO_SESSION
    assert one.counters.unresolved == 1
    await until(lambda: two.counters.wasted == 1, "the broadcast came and was for nobody")


async def test_stages_tell_where_a_push_has_come_to(pair: Cluster) -> None:
    one, two = pair.instances
    async with joined(one.url, "joe") as joe:
        await pair.push(one, user="joe", payload="x", headers={"ps-id": "near"})
        await pair.push(two, user="joe", payload="x", headers={"ps-id": "far"})
        await joe.expect("MESSAGE")
        await joe.expect("MESSAGE")
        for instance, expected in ((one, {"near": "written", "far": "written"}), (two, {"far": "to-broker"})):
            async with pair.http.post(
                f"{instance.url}/stages", json={"ids": ["near", "far", "?"]}
            ) as response:
                assert await response.json() == {"stages": expected}


async def test_a_session_that_did_not_subscribe_is_named(pair: Cluster) -> None:
    one, _ = pair.instances
    async with joined(one.url, "joe", "/user/topic/other"):
        _, answer = await pair.push(one, user="joe", payload="x", headers={"ps-id": "deaf"})
        assert answer["sessions"] == 1
        assert one.stages.get("deaf") == Stage.NO_SUBSCRIBER


async def test_without_the_short_cut_everything_goes_over_the_broker() -> None:
    async with cluster(1, local_shortcut=False) as found, joined(found.instances[0].url, "joe") as joe:
        one = found.instances[0]
        await found.push(one, user="joe", payload="x", headers={"ps-id": "p"})
        await joe.expect("MESSAGE")
        assert (one.counters.direct, one.counters.to_broker, one.counters.from_broker) == (0, 1, 1)


@pytest.mark.parametrize("strategy", ["relay", "broadcast"])
async def test_clients_may_send_to_users(strategy: str) -> None:
    async with cluster(2, strategy=strategy) as found:
        one, two = found.instances
        async with joined(one.url, "joe") as joe, joined(two.url, "pete") as pete:
            await pete.send("SEND", {"destination": "/user/joe/topic/greetings", "mine": "1"}, b"hi")
            message = await joe.expect("MESSAGE")
            assert (message.body, message.headers["mine"]) == (b"hi", "1")
            await pete.nothing_before_receipt()


# ---- strategies ------------------------------------------------------------------------------


async def test_broadcast_reaches_everybody_and_counts_what_it_wastes() -> None:
    async with cluster(3, strategy="broadcast") as found:
        one, two, three = found.instances
        async with joined(two.url, "joe") as joe:
            for instance in found.instances:
                assert (await found.push(instance, user="joe", payload="x"))[0] == 202
                await joe.expect("MESSAGE")
            await joe.nothing_before_receipt()
            await until(lambda: one.counters.wasted == three.counters.wasted == 3, "three for nobody each")
        assert two.counters.wasted == 0


async def test_none_reaches_local_sockets_only_and_says_so() -> None:
    async with cluster(2, strategy="none") as found:
        one, two = found.instances
        async with joined(one.url, "joe") as joe:
            _, near = await found.push(one, user="joe", payload="near")
            _, far = await found.push(two, user="joe", payload="far", headers={"ps-id": "far"})
            assert (near["sessions"], far["sessions"]) == (1, 0)
            assert two.stages.get("far") == Stage.NO_SESSION
            assert (await joe.expect("MESSAGE")).body == b"near"
            await joe.nothing_before_receipt()


# ---- instances come and go -------------------------------------------------------------------


async def test_a_new_instance_knows_all_users_before_it_takes_pushes(pair: Cluster) -> None:
    one, two = pair.instances
    async with joined(one.url, "joe") as joe, joined(two.url, "pete") as pete:
        three = await pair.add()
        for client, user in ((joe, "joe"), (pete, "pete")):
            _, answer = await pair.push(three, user=user, payload="x")
            assert answer["sessions"] == 1
            await client.expect("MESSAGE")


async def test_a_new_instance_is_waited_for(pair: Cluster) -> None:
    three = await pair.add()
    async with joined(pair.instances[0].url, "joe") as joe:
        _, answer = await pair.push(three, user="joe", payload="x")
        assert answer["sessions"] == 1
        await joe.expect("MESSAGE")


async def test_an_instance_that_says_goodbye_takes_its_users_along(pair: Cluster) -> None:
    one, two = pair.instances
    async with joined(two.url, "joe"):
        assert one.registry.places("joe")
        await two.__aexit__(None, None, None)
        await until(lambda: not one.registry.places("joe"), "joe is gone")
        assert one.info()["peers"] == []


async def test_pushes_after_the_receipt_arrive_though_a_peer_has_just_died() -> None:
    """The kill case: the peer vanishes without goodbye and its sessions are still in the registry."""
    async with cluster(3) as found:
        one, two, three = found.instances
        async with joined(two.url, "joe") as old:
            await two.broker.stop()  # no goodbye, as with kill -9
            old.socket.transport.abort()
            async with joined(three.url, "joe") as new:
                assert len(one.registry.places("joe")) >= 1
                for number in range(10):
                    for instance in (one, three):
                        status, _ = await found.push(instance, user="joe", payload=str(number))
                        assert status == 202
                bodies = [(await new.expect("MESSAGE")).body for _ in range(20)]
                assert sorted(bodies) == sorted([str(number).encode() for number in range(10)] * 2)
                await new.nothing_before_receipt()


async def test_a_push_to_a_stale_session_is_lost_with_a_stage() -> None:
    async with cluster(2) as found:
        one, two = found.instances
        async with joined(two.url, "joe"):
            await two.broker.stop()  # no goodbye, as with kill -9
            status, answer = await found.push(one, user="joe", payload="x", headers={"ps-id": "lost"})
            assert (status, answer["sessions"]) == (202, 1)
            assert one.stages.get("lost") == Stage.TO_BROKER
            assert two.stages.get("lost") is None


async def test_what_discovery_drops_is_gone_at_once() -> None:
    async with Discovery(DiscoverySettings()) as discovery, cluster(2, discovery_url=discovery.url) as found:
        one, two = found.instances
        async with joined(two.url, "joe"):
            assert one.registry.places("joe")
            await until(lambda: one.info()["peers"][0]["id"] == "i2", "they know each other")
            assert two.discovery is not None
            # As if the process had gone: the connection ends, nothing is said to the peers.
            await two.broker.stop()
            await two.discovery.__aexit__(None, None, None)
            await until(lambda: not one.registry.places("joe"), "joe is gone")


async def test_a_peer_that_is_silent_is_suspect_and_its_users_are_looked_for() -> None:
    async with cluster(3) as found:
        one, two, three = found.instances
        async with joined(two.url, "joe"):
            sync = one.sync
            assert sync is not None
            peer = next(peer for peer in sync.peers.values() if peer.id == "i2")
            for _ in range(50):  # what i2 says meanwhile clears the suspicion
                peer.suspect = True
                _, answer = await found.push(one, user="joe", payload="x")
                assert answer["sessions"] == 1
                if one.counters.unresolved:
                    break
            assert one.counters.unresolved == 1
            await until(lambda: three.counters.from_broker == 1, "the broadcast went to all")


# ---- the broker comes and goes ---------------------------------------------------------------


async def test_without_a_broker_pushes_are_refused_and_sockets_stay_and_then_it_goes_on() -> None:
    async with cluster(2) as found:
        one, two = found.instances
        port = found.broker.port
        async with joined(one.url, "joe") as joe:
            await found.broker.__aexit__(None, None, None)
            await until(lambda: not one.broker.available and not two.broker.available, "the loss is seen")
            status, answer = await found.push(two, user="joe", payload="x")
            assert status == 503
            assert "not available" in answer["error"] and answer["hint"]
            assert two.counters.refused == 1
            async with EmbeddedBroker(port=port):
                await until(lambda: one.broker.available and two.broker.available, "it is back")
                await until(
                    lambda: bool(two.registry.places("joe")) and one.info()["topics"] == 1,
                    "users are known again",
                )
                await joe.subscribe("/user/topic/later", "later")
                sync = two.sync
                assert sync is not None
                learned = asyncio.Event()  # what it has missed
                sync.when_in_step(learned.set)
                async with asyncio.timeout(20):
                    await learned.wait()
                assert (await found.push(two, user="joe", payload="back"))[0] == 202
                assert (await joe.expect("MESSAGE")).body == b"back"
