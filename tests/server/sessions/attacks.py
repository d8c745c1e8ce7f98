"""What an attacker would try: every spelling of an internal or a foreign destination."""

from __future__ import annotations

from typing import Final

#: The attacker's own session.
MINE: Final = "00000000deadbeef"
#: Sessions of others: ours, Spring's, a SockJS client's at Spring.
OTHERS: Final = ("0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef", "ab3de5gh")
#: Names that only instances use.
INTERNAL: Final = (
    "unresolved-user-destination",
    "simp-user-registry",
    "pushscope.web-socket.peers",
    "pushscope.web-socket.broadcast",
    "pushscope.web-socket.peer.0123456789ab",
    "pushscope.another-service.peers",
)
#: What nobody should be kept from.
HARMLESS: Final = (
    "/topic/greetings",
    "/topic/a.b.c",
    "/topic/a%2Fb",
    "/topic/100%25",
    "/topic/all-users",
    "/topic/new-user-registrations",
    "/topic/a-user",
    "/topic/-user",
    "/topic/user-usernames",
    "/topic/amq.topic",
    "/topic/ü日本",
    "/topic/a,b",
    "/topic/what?",
    "/topic/a*b",
    "/topic/#tag",
    "/topic/simp-user-registry-2",
    "/topic/pushscope",
    "/queue/orders",
    "/queue/orders.amq.x",
    "/exchange/amq.topic/a.b",
    "/exchange/amq.direct/pos",
    "/amq/queue/orders",
    f"/topic/greetings-user{MINE}",
    f"/queue/inbox-user{MINE}",
    f"/exchange/amq.direct/pos-user{MINE}",
)


def ids(*destinations: str) -> tuple[str, ...]:
    """The destinations, so that a list of them reads like the others."""
    return destinations


def spellings(name: str) -> list[str]:
    """Ways to write one name."""
    half = len(name) // 2
    encoded = "".join(f"%{byte:02X}" for byte in name.encode())
    return [
        f"/topic/{name}",
        f"/topic//{name}",
        f"/topic/{name}/",
        f"/topic/./{name}",
        f"/topic/x/../{name}",
        f"/topic%2F{name}",
        f"/topic%2f{name}",
        f"/topic/%2F{name}",
        f"/topic/{name}%2F",
        f"/topic/{encoded}",
        f"/topic/{encoded.lower()}",
        f"/topic/{name[:half]}%{ord(name[half]):02X}{name[half + 1 :]}",
        f"/topic/{name.replace('-', '%2D').replace('.', '%2E')}",
        f"/topic/{encoded.replace('%', '%25')[:200]}" if len(encoded) < 60 else f"/topic/%252F{name}",
        f"/topic/{name.replace('-', '%252D', 1).replace('.', '%252E', 1)}",
        f"/exchange/amq.topic/{name}",
        f"/exchange/amq.direct/{name}",
        f"/exchange/amq.topic%2F{name}",
        f"/exchange/amq%2Etopic/{name}",
        f"/exchange//{name}",
        f"/queue/{name}",
        f"/amq/queue/{name}",
        f"/reply-queue/{name}",
        f"/temp-queue/{name}",
        name,
        f"/topicx/{name}",
        f"/topic/a,{name}",
        f"/topic/a,/topic/{name}",
        f"/topic/a,topic://{name}",
        f"/queue/a,topic://{name}",
        f"topic://{name}",
        f"/topic/{name}?consumer.retroactive=true",
        f"/topic/a,{name}?x=y,b",
        f"/topic/{name};x=y",
        f"/topic/{name}::queue",
        f"/topic/a::{name}",
        f"/topic/{name} ",
        f"/topic/ {name}",
        f"/topic/ {name} /",
        f"/topic/{name}%20",
        f"/topic/a, {name} ",
    ]


def internal_spellings() -> list[str]:
    """Everything that may reach an instance."""
    return [spelling for name in INTERNAL for spelling in spellings(name)]


def session_spellings() -> list[str]:
    """Everything that may reach another session, a broker's own places, or a connection's."""
    found = [spelling for id in OTHERS for spelling in spellings(f"greetings-user{id}")]
    for id in OTHERS:
        found += [
            f"/topic/*.greetings-user{id}",
            f"/topic/#.greetings-user{id}",
            f"/topic/a.greetings-user{id}",
            f"/topic/a.greetings-user{id}.b",
            f"/exchange/amq.fanout/pos-user{id}",
        ]
    found += [
        "/queue/amq.gen-abcdef",
        "/queue/amq%2Egen-abcdef",
        "/amq/queue/amq.gen-abcdef",
        "/reply-queue/amq.rabbitmq.reply-to.g1h2",
        "/amq/queue/stomp-subscription-abcdef",
        "/queue/stomp-subscription-abcdef",
        "/exchange/amq.rabbitmq.trace/#",
        "/exchange/amq.rabbitmq.log/#",
        "/exchange/amq.rabbitmq.event/connection.created",
        "/exchange/nothing-there/a",
        "/exchange/amq.headers/a",
        "/exchange",
        "/topic/ActiveMQ.Advisory.Connection",
        "/topic/activemq.notifications",
        "/queue/ActiveMQ.DLQ",
        "/topic/$SYS.x",
        "/temp-queue/a",
        "/temp-topic/a",
        "/remote-temp-queue/ID:a",
    ]
    return found


def wildcards() -> list[str]:
    """Patterns that cover an internal destination, on some broker."""
    topics = [
        "#",
        "*",
        ">",
        "#.#",
        "*.#",
        "#.*",
        "*.>",
        "%23",
        "%2A",
        "%3E",
        "pushscope.#",
        "pushscope.*.peers",
        "*.web-socket.peers",
        "*.*.*",
        "*.*.peers",
        "#.peers",
        "#.broadcast",
        "*.*.peer.*",
        "*.*.peer.0123456789ab",
        "#.0123456789ab",
        "#.unresolved-user-destination",
        "simp-user-registry.#",
        "#.simp-user-registry.#",
        "a,#",
        "a,>",
        "#?x=y",
        "> ",
        " #",
        "a, > ,b",
    ]
    kinds = ("/topic/", "/exchange/amq.topic/")
    queues = ["/queue/>", "/queue/*", "/queue/#", "/queue/orders.>", "/amq/queue/#", ">", "#"]
    return [kind + topic for kind in kinds for topic in topics] + queues
