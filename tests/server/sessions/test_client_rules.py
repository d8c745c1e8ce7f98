"""What clients may not do, and what their frames may not carry."""

from __future__ import annotations

import pytest

from server.sessions.guard import clean

from ...support.instances import one_instance
from ...support.raw_stomp import RawStomp, joined, raw_stomp

INTERNAL = [
    "/topic/unresolved-user-destination",
    "/topic/simp-user-registry",
    "/topic/pushscope.web-socket.peers",
    "/topic/pushscope.web-socket.broadcast",
    "/topic/pushscope.web-socket.peer.0123456789ab",
]
OTHERS = [
    "/topic/greetings-user0123456789abcdef",
    "/queue/inbox-user0123456789abcdef",
    "/topic/greetings-user01234567-89ab-cdef-0123-456789abcdef",
]


@pytest.mark.parametrize("destination", INTERNAL + OTHERS)
@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE"])
async def test_internal_and_foreign_destinations_are_refused(destination: str, command: str) -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        await client.send(
            command, {"destination": destination, **({"id": "1"} if command == "SUBSCRIBE" else {})}
        )
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Access refused"
        assert destination.encode() in error.body
        assert (await client.closed())[0] == 1002
        assert instance.counters.refused_frames == 1


@pytest.mark.parametrize(
    "destination", ["/topic/all-users", "/topic/new-user-registrations", "/topic/a-user"]
)
async def test_ordinary_names_with_user_in_them_are_fine(destination: str) -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        await client.subscribe(destination)


async def test_wildcards_do_not_hear_what_is_meant_for_others() -> None:
    async with (
        one_instance(local_shortcut=False) as instance,
        joined(instance.url, "joe") as joe,
        joined(instance.url, "spy", "/topic/news.#") as spy,
        raw_stomp(instance.url) as sender,
    ):
        await sender.connect()
        await sender.send("SEND", {"destination": "/user/joe/topic/greetings"}, b"secret")
        assert (await joe.expect("MESSAGE")).body == b"secret"
        await sender.send("SEND", {"destination": "/user/nobody/topic/greetings"}, b"unresolved")
        await sender.send("SEND", {"destination": "/topic/news.today"}, b"public")
        assert (await spy.expect("MESSAGE")).body == b"public"


async def test_headers_that_only_we_set_are_stripped() -> None:
    forged = {
        "simpOrigDestination": "/user/topic/forged",
        "user-name": "root",
        "ps-id": "run.i1.joe.1",
        "exclusive": "true",
        "x-expires": "1",
        "mine": "1",
        "x-mine": "2",
    }
    assert clean({"destination": "/topic/a", "receipt": "r", **forged}) == {"mine": "1", "x-mine": "2"}
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        await client.subscribe("/topic/a")
        await client.send("SEND", {"destination": "/topic/a", **forged}, b"x")
        message = await client.expect("MESSAGE")
        assert message.headers["destination"] == "/topic/a"
        assert set(message.headers) - {"content-length"} == {
            "subscription",
            "destination",
            "message-id",
            "mine",
            "x-mine",
        }
        assert instance.stages.get("run.i1.joe.1") is None


async def _error(client: RawStomp) -> str:
    error = await client.expect("ERROR")
    assert (await client.closed())[0] == 1002
    return error.headers["message"]


async def test_names_with_an_encoded_slash_are_refused_in_subscriptions() -> None:
    """Conformance case 24, second half."""
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        await client.send("SUBSCRIBE", {"id": "1", "destination": "/user/a%2Fb"})
        assert await _error(client) == "Invalid destination"


async def test_a_user_destination_that_names_only_a_user_is_refused() -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        await client.send("SEND", {"destination": "/user/joe"}, b"x")
        assert await _error(client) == "Invalid destination"
