"""The guard against real brokers: whatever a spelling or a header can do there, clients may not.

Here an attacker talks to the broker itself, as the instance's connection would for an unguarded
client, and the broker shows what each spelling reaches and which header ends the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.brokers.embedded import EmbeddedBroker
from server.messages.refusal import Refusal
from server.sessions.client_headers import HeaderRule
from server.sessions.guard import Guard
from server.settings.instance import InstanceSettings

from ...support.rabbitmq import VirtualHost
from ...support.stomp_tcp import TcpStomp, tcp_stomp
from .attacks import HARMLESS, MINE, OTHERS, spellings, wildcards

GUARD = Guard(InstanceSettings())
RULE = HeaderRule()
SECRET = "/topic/simp-user-registry"
FOREIGN = f"/topic/greetings-user{OTHERS[0]}"


@pytest.fixture
async def embedded() -> AsyncIterator[str]:
    async with EmbeddedBroker() as broker:
        yield broker.url


async def hears(url: str, victim: TcpStomp, spelling: str, secret: str) -> bool:
    """Whether a subscription so spelled gets what the victim publishes to ``secret``."""
    async with tcp_stomp(url) as attacker:
        if not await attacker.settled("SUBSCRIBE", {"id": "1", "destination": spelling}):
            return False
        if not await attacker.settled("SUBSCRIBE", {"id": "2", "destination": "/topic/barrier"}):
            return False
        assert await victim.settled("SEND", {"destination": secret}, b"secret")
        assert await victim.settled("SEND", {"destination": "/topic/barrier"}, b"barrier")
        return await attacker.next_body() == b"secret"


async def says(url: str, victim: TcpStomp, spelling: str) -> bool:
    """Whether a message so addressed arrives at the victim, who has subscribed to the secret."""
    async with tcp_stomp(url) as attacker:
        await attacker.settled("SEND", {"destination": spelling}, b"forged")
    assert await victim.settled("SEND", {"destination": SECRET}, b"genuine")
    forged = False
    while (body := await victim.next_body()) != b"genuine":
        forged = forged or body == b"forged"
    return forged


async def reached(url: str) -> set[str]:
    """Check all spellings; returns those that reached what they were after."""
    found: set[str] = set()
    candidates = [*spellings(SECRET.removeprefix("/topic/")), *wildcards(), *HARMLESS]
    async with tcp_stomp(url) as victim:
        for spelling in candidates:
            if await hears(url, victim, spelling, SECRET):
                found.add(spelling)
                assert GUARD.refuse_subscribe(spelling, MINE), f"{spelling} hears the registry"
        for spelling in spellings(FOREIGN.removeprefix("/topic/")):
            if await hears(url, victim, spelling, FOREIGN):
                assert GUARD.refuse_subscribe(spelling, MINE), f"{spelling} hears another session"
    async with tcp_stomp(url) as victim:
        assert await victim.settled("SUBSCRIBE", {"id": "v", "destination": SECRET})
        for spelling in candidates:
            if await says(url, victim, spelling):
                found.add(spelling)
                assert GUARD.refuse_send(spelling, MINE), f"{spelling} writes to the registry"
    return found


async def test_what_reaches_the_registry_at_the_embedded_broker_is_refused(embedded: str) -> None:
    assert await reached(embedded) >= {SECRET, "/topic/#", "/topic/*"}


async def test_what_reaches_the_registry_at_rabbitmq_is_refused(rabbitmq: VirtualHost) -> None:
    async with asyncio.timeout(55):
        found = await reached(rabbitmq.stomp_url)
    assert found >= {SECRET, "/topic/#", "/topic/*", "/exchange/amq.topic/simp-user-registry"}


#: Headers with which one SEND ends the connection that everybody shares, at one of two places.
_FATAL = [
    {"CC": "a"},
    {"BCC": "a"},
    {"user-id": "somebody-else"},
    {"expiration": "never"},
    {"priority": "high"},
    {"timestamp": "now"},
    {"content-type": "x" * 256},
    {"correlation-id": "x" * 300},
    {"x" * 256: "1"},
    {"durable": "false"},
    {"auto-delete": "true"},
    {"exclusive": "true"},
    {"x-message-ttl": "1000"},
    {"x-expires": "1000"},
    {"x-max-length": "1"},
    {"x-queue-type": "quorum"},
    {"x-queue-type": "nonsense"},
    {"x-dead-letter-exchange": "amq.topic"},
    {"x-overflow": "reject-publish"},
    {"reply-to": "/temp-queue/a"},
]


@pytest.mark.parametrize("headers", _FATAL, ids=lambda headers: next(iter(headers))[:20])
async def test_no_header_of_a_client_ends_the_shared_connection(
    rabbitmq: VirtualHost, headers: dict[str, str]
) -> None:
    async with tcp_stomp(rabbitmq.stomp_url) as shared:
        assert await shared.settled("SEND", {"destination": "/queue/orders"}, b"declares it")
        for destination in ("/topic/a", "/queue/orders"):
            try:
                passed = RULE.of_send(headers)
            except Refusal:
                return
            assert not set(headers) & set(passed)
            assert await shared.settled("SEND", {"destination": destination, **passed}, b"x")


async def test_the_danger_is_real(rabbitmq: VirtualHost) -> None:
    """Without the rule these headers do end the connection; if not, the rule has no reason."""
    ended: set[str] = set()
    async with tcp_stomp(rabbitmq.stomp_url) as owner:
        assert await owner.settled("SEND", {"destination": "/queue/orders"}, b"declares it")
        for headers in _FATAL:
            async with tcp_stomp(rabbitmq.stomp_url) as shared:
                for destination in ("/topic/a", "/queue/orders"):
                    if not await shared.settled("SEND", {"destination": destination, **headers}, b"x"):
                        ended.add(next(iter(headers)))
                        break
    assert ended >= {"CC", "BCC", "user-id", "expiration", "exclusive", "x-message-ttl", "x-expires"}, ended
