"""Cases 20 to 25: what becomes of user destinations on the broker's wire.

The broker is a recorder. Our instances deviate in three ways that show here: clients share a broker
connection, so subscription ids at the broker are the instance's own (20 also runs with
``relay = "per-client"``, which keeps the client's); a push to a session of the accepting instance skips
the broker (off here, where the wire is looked at); SUBSCRIBE carries no ``simpOrigDestination``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from core.protocol import Frame, Prefixes
from server.instance import Instance

from ..support.instances import one_instance, push
from ..support.raw_stomp import RawStomp, joined, raw_stomp
from ..support.recording_broker import RecordingBroker, recording_broker


class Bench:
    """An instance on a broker that records."""

    def __init__(self, broker: RecordingBroker, instance: Instance, http: aiohttp.ClientSession) -> None:
        self.broker = broker
        self.instance = instance
        self.url = instance.url
        self._http = http

    def frames(self, command: str) -> list[Frame]:
        """What the instance or its clients sent to the broker, without what instances tell each other."""
        return [
            frame
            for link in self.broker.links
            for frame in link.got(command)
            if "pushscope." not in frame.headers["destination"]
            and frame.headers["destination"] != self.instance.settings.registry_destination
        ]

    async def sent(self, count: int) -> list[Frame]:
        """The SENDs, of which there must be so many and stay so many."""
        await self.broker.until(lambda: len(self.frames("SEND")) >= count, f"{count} SENDs")
        await self.settle()
        frames = self.frames("SEND")
        assert len(frames) == count, frames
        return frames

    async def settle(self) -> None:
        """Return when all that was caused so far has gone both ways on the instance's connection."""
        status, _ = await push(self._http, self.url, destination="/topic/settle", confirm=True)
        assert status == 202
        for link in self.broker.links:
            link.frames = [
                frame for frame in link.frames if frame.headers.get("destination") != "/topic/settle"
            ]

    async def push(self, **request: object) -> tuple[int, dict[str, Any]]:
        """POST /push."""
        return await push(self._http, self.url, **request)


@asynccontextmanager
async def bench(**settings: Any) -> AsyncGenerator[Bench]:
    async with recording_broker() as broker, aiohttp.ClientSession() as http:
        options: dict[str, Any] = {"default_user": "", "local_shortcut": False, **settings}
        async with one_instance(broker_url=broker.url(), **options) as instance:
            yield Bench(broker, instance, http)


@asynccontextmanager
async def client(found: Bench, user: str, destination: str) -> AsyncGenerator[tuple[RawStomp, str]]:
    """A client of a user ("" for an anonymous one), subscribed; and its session's id."""
    async with raw_stomp(found.url, f"/ws?user={user}") as made:
        connected = await made.connect()
        assert connected.headers.get("user-name", "") == user
        await made.subscribe(destination)
        if found.instance.settings.relay == "per-client":  # CONNECTED is the broker's
            yield made, next(iter(found.instance.hub.sessions))
        else:
            yield made, connected.headers["session"]


@pytest.mark.parametrize("user", ["joe", ""])
@pytest.mark.parametrize("relay", ["multiplexed", "per-client"])
async def test_case_20_subscribing_goes_to_the_sessions_own_destination(relay: str, user: str) -> None:
    """SUBSCRIBE to a user destination is one to ``-user<session id>``, anonymous or not."""
    async with bench(relay=relay) as found, client(found, user, "/user/queue/foo") as (_, session):
        (frame,) = [
            frame for frame in found.frames("SUBSCRIBE") if "/queue/foo" in frame.headers["destination"]
        ]
        assert frame.headers["destination"] == f"/queue/foo-user{session}"
        if relay == "per-client":
            assert frame.headers["id"] == "s0", "the client's own"


async def test_case_21_a_session_subscribes_for_itself_only() -> None:
    """The second session's SUBSCRIBE causes one for its own id and none for the other's."""
    async with bench() as found, client(found, "joe", "/user/queue/bar"):
        before = len(found.frames("SUBSCRIBE"))
        async with client(found, "joe", "/user/queue/foo") as (_, session):
            (frame,) = found.frames("SUBSCRIBE")[before:]
            assert frame.headers["destination"] == f"/queue/foo-user{session}"


async def test_case_22_a_message_for_a_user_is_one_send_for_each_session() -> None:
    """SEND goes to the session's destination and says which one the user knows."""
    async with (
        bench() as found,
        client(found, "joe", "/user/queue/foo") as (_, one),
        client(found, "joe", "/user/queue/foo") as (_, two),
    ):
        status, answer = await found.push(
            user="joe", destination="/queue/foo", payload="x", headers={"custom": "1", "ps-id": "p"}
        )
        assert (status, answer["sessions"]) == (202, 2)
        first, second = await found.sent(2)
        assert {frame.headers["destination"] for frame in (first, second)} == {
            f"/queue/foo-user{one}",
            f"/queue/foo-user{two}",
        }
        for frame in (first, second):
            assert list(frame.headers) == [
                "destination",
                "simpOrigDestination",
                "custom",
                "ps-id",
                "content-type",
                "content-length",
            ]
            assert frame.headers["simpOrigDestination"] == "/user/queue/foo"
            assert (frame.headers["custom"], frame.body) == ("1", b"x")


async def test_case_23_a_sender_that_is_one_of_the_users_sessions_means_itself() -> None:
    """Only the sending session receives what it sends to its own user."""
    async with (
        bench() as found,
        client(found, "joe", "/user/topic/foo") as (one, _),
        client(found, "joe", "/user/topic/foo") as (two, _),
    ):
        await one.send("SEND", {"destination": "/user/joe/topic/foo"}, b"me")
        assert (await one.expect("MESSAGE")).body == b"me"
        await two.nothing_before_receipt()


async def test_case_24_a_slash_in_a_name_is_encoded_on_the_way_and_decoded_at_its_end() -> None:
    """The name is one segment with %2F while it is being looked for, and resolves to its sessions."""
    name = "https://joe.openid.example.org/"
    async with bench() as found:
        await found.push(user=name, destination="/topic/foo", payload="early")
        (frame,) = await found.sent(1)
        origin = "/user/https:%2F%2Fjoe.openid.example.org%2F/topic/foo"
        assert frame.headers["simpOrigDestination"] == origin
        async with raw_stomp(found.url) as made:
            session = (await made.connect(login=name)).headers["session"]
            await made.subscribe("/user/topic/foo")
            await found.push(user=name, destination="/topic/foo", payload="late")
            assert (await made.expect("MESSAGE")).body == b"late"
            assert found.frames("SEND")[-1].headers["destination"] == f"/topic/foo-user{session}"
            # A client's SEND names the user as one segment, too.
            async with joined(found.url, "ann", "/topic/other") as ann:
                await ann.send("SEND", {"destination": origin}, b"from ann")
                assert (await made.expect("MESSAGE")).body == b"from ann"


async def test_case_24_a_name_that_holds_the_encoding_is_rejected() -> None:
    """Neither a push nor a CONNECT nor a SUBSCRIBE may have %2F in the name."""
    async with bench() as found:
        status, answer = await found.push(user="joe%2F", destination="/queue/foo", payload="x")
        assert (status, answer["field"]) == (400, "user")
        async with raw_stomp(found.url) as made:
            await made.send("CONNECT", {"accept-version": "1.2", "login": "joe%2F"})
            assert (await made.expect("ERROR")).headers["message"] == "the user name cannot be used"
        async with raw_stomp(found.url) as made:
            await made.connect(login="joe")
            await made.send("SUBSCRIBE", {"id": "0", "destination": "/user/queue/a%2Fb"})
            assert (await made.expect("ERROR")).headers["message"] == "Invalid destination"
        assert not found.frames("SEND")


async def test_case_25_without_a_slash_in_the_first_prefix_targets_have_none() -> None:
    """``/user/jms.queue.call`` becomes ``jms.queue.call-user<id>``, both ways."""
    prefixes = Prefixes(broker=("jms.queue.", "/topic"))
    async with (
        bench(prefixes=prefixes) as found,
        client(found, "joe", "/user/jms.queue.call") as (made, session),
    ):
        target = f"jms.queue.call-user{session}"
        assert [frame for frame in found.frames("SUBSCRIBE") if frame.headers["destination"] == target]
        await found.push(user="joe", destination="jms.queue.call", payload="x")
        message = await made.expect("MESSAGE")
        assert (message.headers["destination"], message.body) == ("/user/jms.queue.call", b"x")
        (frame,) = found.frames("SEND")
        assert frame.headers["destination"] == target
        assert frame.headers["simpOrigDestination"] == "/user/jms.queue.call"


async def test_case_25_the_same_by_the_short_cut() -> None:
    """A session here gets it without the broker, in the same words."""
    prefixes = Prefixes(broker=("jms.queue.", "/topic"))
    async with (
        bench(prefixes=prefixes, local_shortcut=True) as found,
        client(found, "joe", "/user/jms.queue.call") as (made, _),
    ):
        await found.push(user="joe", destination="jms.queue.call", payload="x")
        message = await made.expect("MESSAGE")
        assert (message.headers["destination"], message.body) == ("/user/jms.queue.call", b"x")


async def test_case_25_other_destinations_are_not_translated() -> None:
    """A destination without the user prefix reaches the broker as it is."""
    async with bench() as found, client(found, "joe", "/queue/foo") as (made, _):
        assert "/queue/foo" in {frame.headers["destination"] for frame in found.frames("SUBSCRIBE")}
        await made.send("SEND", {"destination": "/queue/foo", "receipt": "r"}, b"x")
        assert {(await made.frame()).command for _ in range(2)} == {"MESSAGE", "RECEIPT"}
        (frame,) = found.frames("SEND")
        assert frame.headers["destination"] == "/queue/foo"
        assert "simpOrigDestination" not in frame.headers
