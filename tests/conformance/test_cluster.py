"""Cases 26 to 33: several instances on one broker, some of which are Spring's.

Two deviations show here. A broadcast for a user whom we know is delivered to our sessions at once
instead of by a second trip over the broker, where a later message could overtake it (27). Spring's
snapshots are published regularly once a Spring instance has been heard, or with
``registry_broadcast = "always"`` as in these tests; and what has expired is not believed from the
moment on in which it expires, not from the next tick on (32).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from core.protocol import Frame
from server.brokers.stomp import StompBroker
from server.instance import Instance
from server.users.spring_registry import EXPIRES_AFTER_S, PUBLISH_EVERY_S
from server.users.undeliverable import Origin, Reason

from ..support.instances import one_instance, push
from ..support.processes import until
from ..support.raw_stomp import joined, raw_stomp
from ..support.recording_broker import RecordingBroker, recording_broker
from ..support.registry_bench import SPRING_7, RegistryBench
from ..support.spring_peer import REGISTRY, UNRESOLVED, SpringPeer, Users, snapshot_4, snapshot_7, spring_peer


class Bench:
    """An instance and a Spring instance on a broker that records."""

    def __init__(
        self, broker: RecordingBroker, instance: Instance, spring: SpringPeer, http: aiohttp.ClientSession
    ) -> None:
        self.broker = broker
        self.instance = instance
        self.url = instance.url
        self.spring = spring
        self._http = http

    def sent(self, link: int = 0) -> list[Frame]:
        """The SENDs on a connection (0: the instance's own), but for what instances tell each other."""
        return [
            frame
            for frame in self.broker.links[link].got("SEND")
            if "pushscope." not in frame.headers["destination"]
            and frame.headers["destination"] not in (REGISTRY, "/topic/settle")
        ]

    async def push(self, **request: object) -> dict[str, Any]:
        """POST /push."""
        status, answer = await push(self._http, self.url, **request)
        assert status == 202, answer
        return answer

    async def settle(self) -> None:
        """Return when all that was caused so far has gone both ways on the instance's connection."""
        await self.push(destination="/topic/settle", confirm=True)

    async def knows(self, *users: str) -> None:
        """Wait until the instance knows exactly these users."""
        await until(lambda: {name for name, _ in self.instance.registry.users()} == {*users}, f"{users}")

    def undeliverable(self) -> dict[tuple[str, str], int]:
        """Counts by origin and reason."""
        counts = self.instance.info()["undeliverable"]["counts"]
        return {(case["origin"], case["reason"]): case["count"] for case in counts}


@asynccontextmanager
async def bench(**settings: Any) -> AsyncGenerator[Bench]:
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(recording_broker())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        options: dict[str, Any] = {"registry_broadcast": "always", **settings}
        instance = await stack.enter_async_context(one_instance(broker_url=broker.url(), **options))
        spring = await stack.enter_async_context(spring_peer(StompBroker(broker.url())))
        yield Bench(broker, instance, spring, http)


async def test_case_26_an_unknown_user_is_asked_for_exactly_once() -> None:
    """One SEND to the broadcast destination with the send form; its echo causes nothing more."""
    async with bench() as found:
        answer = await found.push(
            user="joe/x", destination="/queue/foo", payload={"a": 1}, headers={"custom": "1", "ps-id": "p"}
        )
        assert answer["sessions"] == 0
        await found.spring.until(lambda: len(found.spring.unresolved) == 1, "the broadcast was heard")
        await found.settle()
        (frame,) = found.sent()
        assert frame.headers == {
            "destination": UNRESOLVED,
            "simpOrigDestination": "/user/joe%2Fx/queue/foo",
            "custom": "1",
            "ps-id": "p",
            "content-type": "application/json",
            "ps-via": "i1 push",
            "content-length": "8",
        }
        assert frame.body == b'{"a": 1}'
        assert found.undeliverable() == {(Origin.PUSH, Reason.NO_SESSION): 1}
        (case,) = found.instance.info()["undeliverable"]["recent"]
        assert (case["id"], case["user"], case["destination"], case["stage"]) == (
            "p",
            "joe/x",
            "/queue/foo",
            "no-session",
        )


@pytest.mark.parametrize("destination", ["/topic/foo", "/queue/foo"])
async def test_case_27_a_broadcast_reaches_our_session_with_its_headers(destination: str) -> None:
    """Headers and body are kept, those of the broker are not; nothing is sent on."""
    async with bench() as found, joined(found.url, "joe", f"/user{destination}") as joe:
        found.spring.say(
            UNRESOLVED,
            {"simpOrigDestination": f"/user/joe{destination}", "customHeader": "kept", "content-type": "a/b"},
            b"body",
        )
        message = await joe.expect("MESSAGE")
        assert message.headers == {
            "subscription": "s0",
            "destination": f"/user{destination}",
            "message-id": "i1-1",
            "customHeader": "kept",
            "content-type": "a/b",
            "content-length": "4",
        }
        assert message.body == b"body"
        await joe.nothing_before_receipt()
        await found.settle()
        assert not found.sent()


async def test_case_28_a_broadcast_for_nobody_is_not_sent_on() -> None:
    """A foreign broadcast for a user unknown here ends here, and is counted."""
    async with bench() as found:
        found.spring.say(UNRESOLVED, {"simpOrigDestination": "/user/joe/queue/foo"}, b"x")
        await until(
            lambda: found.undeliverable() == {(Origin.PUSH, Reason.LOOP_GUARD): 1}, "it was looked at"
        )
        await found.settle()
        assert not found.sent()


async def test_case_28_a_client_cannot_speak_as_an_instance() -> None:
    """SEND straight to the broadcast destination is refused and reaches nobody."""
    async with bench() as found, joined(found.url, "joe") as joe, raw_stomp(found.url) as mallory:
        await mallory.connect(login="mallory")
        await mallory.send(
            "SEND", {"destination": UNRESOLVED, "simpOrigDestination": "/user/joe/topic/greetings"}, b"x"
        )
        assert (await mallory.expect("ERROR")).headers["message"] == "Access refused"
        assert (await mallory.closed())[0] == 1002
        await joe.nothing_before_receipt()
        assert not found.sent()


async def test_case_29_a_snapshot_as_soon_as_the_broker_is_there_and_again_when_it_is_back() -> None:
    """The first snapshot follows the subscriptions; a broker that comes back gets one at once."""
    async with bench() as found:
        link = found.broker.links[0]
        commands = [(frame.command, frame.headers.get("destination")) for frame in link.frames]
        assert ("SUBSCRIBE", UNRESOLVED) in commands
        assert ("SUBSCRIBE", REGISTRY) in commands
        assert commands.index(("SUBSCRIBE", REGISTRY)) < commands.index(("SEND", REGISTRY))
        before = len(found.broker.links)
        link.close()

        def told_again() -> bool:
            return any(
                frame.headers["destination"] == REGISTRY
                for link in found.broker.links[before:]
                for frame in link.got("SEND")
            )

        await found.broker.until(told_again, "a snapshot on the new connection")


def test_case_29_snapshots_every_ten_seconds_and_none_while_the_broker_is_away() -> None:
    """At once, every ten seconds, and not while the broker is away."""
    bench = RegistryBench(registry_broadcast="always")
    bench.spring.available()
    assert len(bench.published) == 1
    assert bench.run(PUBLISH_EVERY_S * 3 + 1) == 3
    bench.up = False
    assert bench.run(PUBLISH_EVERY_S * 2) == 0
    bench.up = True
    assert bench.run(PUBLISH_EVERY_S * 2) == 0
    bench.spring.available()
    assert bench.run(PUBLISH_EVERY_S) == 1


async def test_case_30_a_snapshot_makes_its_users_known_and_an_echo_of_ours_changes_nothing() -> None:
    """Lookup finds user, session, subscription and instance; the count is 1, also after our own echo."""
    async with bench() as found:
        found.spring.users = {"joe": {"remote-sess": ("/remote-dest",)}}
        found.spring.tell()
        await found.knows("joe")
        users = found.instance.users
        joe = users.user("joe")
        assert joe is not None
        (session,) = joe.sessions
        assert (session.id, session.here, session.instance) == ("remote-sess", False, found.spring.id)
        (subscription,) = session.subscriptions
        assert (subscription.id, subscription.destination) == ("sub-0", "/remote-dest")
        assert users.find_subscriptions(lambda each: each.destination == "/remote-dest") == [subscription]
        assert users.user_count == 1
        await found.spring.until(lambda: bool(found.spring.snapshots), "our snapshot was heard")
        headers, content = found.spring.snapshots[-1]
        echo = {"content-type": headers["content-type"]}
        found.spring.say(REGISTRY, echo, json.dumps({**content, "userMap": {}}).encode())
        await found.settle()
        assert users.user_count == 1
        assert len(found.instance.info()["registry"]["peers"]) == 1


async def test_case_31_local_and_remote_sessions_of_a_user_both_receive() -> None:
    """Lookup has both sessions, and a push goes to both."""
    async with bench() as found, joined(found.url, "joe") as joe:
        await found.spring.listen("/topic/greetings-usersess456")
        found.spring.users = {"joe": {"sess456": ("/user/topic/greetings",)}}
        found.spring.tell()
        await until(lambda: len(found.instance.registry.places("joe")) == 2, "both sessions are known")
        known = found.instance.users.user("joe")
        assert known is not None and {session.here for session in known.sessions} == {True, False}
        assert found.instance.users.user_count == 2, "a user on two instances counts twice, as with Spring"
        assert (await found.push(user="joe", payload="x"))["sessions"] == 2
        assert (await joe.expect("MESSAGE")).body == b"x"
        await found.spring.until(lambda: bool(found.spring.received), "the remote session's copy")
        (delivery,) = found.spring.received
        assert delivery.headers["simpOrigDestination"] == "/user/topic/greetings"
        assert delivery.body == b"x"
        await joe.nothing_before_receipt()


def test_case_32_a_snapshot_without_refresh_is_not_believed_any_more() -> None:
    """After 20 s without another one its users are gone, whether or not the tick has run."""
    bench = RegistryBench()
    bench.hear(SPRING_7)
    bench.run(EXPIRES_AFTER_S - 1)
    assert bench.registry.places("joe")
    bench.hear(SPRING_7)
    bench.run(EXPIRES_AFTER_S - 1)
    assert bench.registry.places("joe")
    bench.now += 2  # no tick
    assert not bench.registry.places("joe")
    assert bench.registry.session("remote-sess") is None
    assert bench.registry.lapsed("joe")
    assert len(bench.spring.strangers) == 0


@pytest.mark.parametrize("write", [snapshot_4, snapshot_7])
async def test_case_33_old_and_new_snapshots_are_understood(write: Callable[[str, Users], Any]) -> None:
    """4.3's nulls and 7.x's placeholders parse alike."""
    async with bench() as found:
        found.spring.users = {"joe": {"s4": ("/user/queue/x",)}, "ann": {"s5": ()}}
        found.spring.tell(write)
        await found.knows("joe", "ann")
        session = found.instance.users.session("s4")
        assert session is not None and session.user == "joe"
        assert [each.destination for each in session.subscriptions] == ["/user/queue/x"]


async def test_case_33_our_snapshot_has_exactly_springs_fields() -> None:
    """No field more, none less, JSON by its content type; and an empty one as the last word."""
    async with recording_broker() as broker, spring_peer(StompBroker(broker.url())) as spring:
        async with (
            one_instance(broker_url=broker.url(), registry_broadcast="always") as instance,
            raw_stomp(instance.url) as client,
        ):
            session = (await client.connect(login="joe")).headers["session"]
            await client.subscribe("/user/queue/x", "sub-0")

            def told() -> bool:
                return bool(spring.snapshots) and b"sub-0" in json.dumps(spring.snapshots[-1][1]).encode()

            await spring.until(told, "a snapshot with the subscription")
            headers, content = spring.snapshots[-1]
            assert headers["content-type"] == "application/json"
            id = content["id"]
            subscriptions = [{"id": "sub-0", "destination": "/user/queue/x"}]
            sessions = [{"id": session, "subscriptions": subscriptions}]
            assert content == {"id": id, "userMap": {"joe": {"name": "joe", "sessions": sessions}}}
        await spring.until(lambda: not spring.snapshots[-1][1]["userMap"], "the goodbye")
        assert spring.snapshots[-1][1] == {"id": id, "userMap": {}}
