"""No message that a broker object takes ends its link: it arrives, or it is refused at the door.

The shapes lie around every limit that a broker is known to have: number of headers, length of names, of
values, of all headers together and of bodies, in characters that grow on the wire.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack

import pytest

from core.errors import BrokerRefused
from core.protocol.limits import KIB, MIB
from server.brokers.base import Broker
from server.brokers.urls import broker_for
from tests.contracts.test_broker import Ends, Inbox, ends, published, started, subscribed
from tests.support.rabbitmq import VirtualHost

__all__ = ["ends"]  # the fixture

DESTINATION = "/topic/shapes"
COUNTS = (1, 30, 90, 94, 95, 96, 100, 190, 195, 196, 200, 252, 256, 500)
LENGTHS = (0, 200, 255, 256, 9_000, 10_200, 10_230, 10_240, 20_000, 65_000, 65_500, 65_536, 130_000, 900_000)
BODIES = (0, 1, 64 * KIB, 4 * MIB - 2 * KIB, 4 * MIB, 15 * MIB, 16 * MIB - 256 * KIB, 16 * MIB, 17 * MIB)
NAMES = (1, 100, 255, 256, 9_000, 70_000)
#: One byte, two of an escape, three of UTF-8.
CHARACTERS = "x:漢"
PROPERTIES = {
    "content-type": ("text/plain", "x" * 255, "x" * 256, "é" * 200),
    "content-encoding": ("gzip", "x" * 300),
    "correlation-id": ("7", "x" * 256),
    "reply-to": ("/queue/answers", "x" * 300),
    "type": ("a", "x" * 256),
    "app-id": ("a", "x" * 256),
    "amqp-message-id": ("a", "x" * 256),
    "priority": ("4", "300", "-1", "high", "9" * 30),
    "timestamp": ("1700000000000", "now", "9" * 30),
    "expiration": ("60000", "soon", "9" * 30),
    "expires": ("0", "never"),
    "persistent": ("true", "maybe"),
    "user-id": ("guest", "somebody-else"),
}


def shapes() -> Iterator[tuple[dict[str, str], bytes]]:
    """Each limit by itself, and some mixtures, which are the same in every run."""
    for count in COUNTS:
        yield {f"h{number}": "v" for number in range(count)}, b"x"
    for length in LENGTHS:
        for character in CHARACTERS:
            yield {"long": character * (length // len(character.encode()))}, b"x"
    for length in NAMES:
        yield {"n" * length: "v"}, b"x"
    for size in BODIES:
        yield {}, b"b" * size
    for name, values in PROPERTIES.items():
        for value in values:
            yield {name: value}, b"x"
    chance = random.Random(5)
    for _ in range(40):
        many, length = chance.choice(COUNTS), chance.choice(LENGTHS[:8])
        character = chance.choice(CHARACTERS)
        yield {f"h{number}": character * length for number in range(many)}, b"b" * chance.choice(BODIES[:4])


async def arrives(broker: Broker, inbox: Inbox, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a message was taken, in which case it has arrived whole."""
    try:
        await published(broker, DESTINATION, body, dict(headers))
    except BrokerRefused:
        return False
    came = await inbox.next()
    assert came.body == body
    plain = {name: value for name, value in headers.items() if name not in PROPERTIES}
    assert {name: came.headers.get(name) for name in plain} == plain
    return True


def described(headers: Mapping[str, str], body: bytes) -> str:
    longest = max(headers.items(), key=lambda item: len(item[0]) + len(item[1]), default=("", ""))
    return (
        f"{len(headers)} headers, {longest[0][:20]}: {longest[1][:20]} ({len(longest[1])}), {len(body)} bytes"
    )


async def test_a_message_arrives_or_is_refused_and_the_link_stays(ends: Ends) -> None:
    await hold_to(ends)


@pytest.mark.parametrize("way", ["from STOMP to AMQP", "from AMQP to STOMP"])
async def test_so_it_does_where_peers_speak_different_languages(way: str, rabbitmq: VirtualHost) -> None:
    urls = [rabbitmq.stomp_url, rabbitmq.amqp_url]
    async with AsyncExitStack() as stack:
        one, two = [await started(stack, broker_for(url)) for url in urls]
        await hold_to(Ends(one, two) if way == "from STOMP to AMQP" else Ends(two, one))


async def hold_to(ends: Ends) -> None:
    """Send every shape from one end to the other."""
    inbox = Inbox()
    await subscribed(ends.two, DESTINATION, inbox)
    taken = refused = 0
    for headers, body in shapes():
        shape = described(headers, body)
        try:
            if await arrives(ends.one, inbox, headers, body):
                taken += 1
            else:
                refused += 1
        except AssertionError as error:
            raise AssertionError(f"{shape}: {error}") from error
        assert ends.one.available and ends.two.available, shape
    assert inbox.empty
    assert taken > 30 and refused > 30
    assert await arrives(ends.one, inbox, {}, b"the link that there was")


@pytest.mark.parametrize("count", [252, 500])
async def test_headers_are_counted_without_a_confirmation_too(ends: Ends, count: int) -> None:
    with pytest.raises(BrokerRefused, match="headers"):
        ends.one.publish(DESTINATION, {f"h{number}": "v" for number in range(count)}, b"")
    with pytest.raises(BrokerRefused, match="header"):
        ends.one.publish(DESTINATION, {"long": "x" * 900_000}, b"")
