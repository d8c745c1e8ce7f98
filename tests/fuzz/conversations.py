"""What an attacker says to a role: a list of messages, each of which may be anything.

Every conversation begins as a client's would that the role is there for, so that most of them get far.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from .damage import battered, maybe, sometimes, value
from .sayings import connect, document, request, stomp, upgrade, websocket

Conversation = list[bytes]

_TRANSPORTS: Final = ("xhr", "xhr_streaming", "eventsource", "htmlfile", "jsonp", "xhr_send", "jsonp_send")
_PAGES: Final = (
    "/health",
    "/info",
    "/metrics",
    "/routes",
    "/110000.html",
    "/test?username=x",
    "/nothere",
    "*",
    "",
)


def conversation(role: str, chance: random.Random) -> Conversation:
    """One for that role."""
    return _ROLES[role](chance)


def _at_broker(chance: random.Random) -> Conversation:
    first = [] if sometimes(chance, 0.1) else [connect(chance)]
    said = first + [stomp(chance) for _ in range(chance.randint(0, 8))]
    return maybe(chance, 0.1, said, [request(chance, "GET", "/"), *said])


def _at_instance(chance: random.Random) -> Conversation:
    return _for_endpoint(chance, "")


def _at_gateway(chance: random.Random) -> Conversation:
    if sometimes(chance, 0.15):
        return [request(chance, "GET", chance.choice(_PAGES)) for _ in range(chance.randint(1, 4))]
    return _for_endpoint(chance, "/web-socket")


def _for_endpoint(chance: random.Random, prefix: str) -> Conversation:
    match chance.randrange(10):
        case 0 | 1 | 2 | 3:
            return _stomp_over_websocket(chance, prefix)
        case 4 | 5 | 6:
            return _sockjs(chance, prefix)
        case 7 | 8:
            return [_push(chance, prefix) for _ in range(chance.randint(1, 6))]
        case _:
            return [
                request(chance, "GET", prefix + chance.choice(_PAGES)) for _ in range(chance.randint(1, 4))
            ]


def _stomp_over_websocket(chance: random.Random, prefix: str) -> Conversation:
    user = chance.choice(("fuzz", "fuzz2", value(chance) if sometimes(chance, 0.2) else "fuzz"))
    path = maybe(chance, 0.3, f"{prefix}/ws", f"{prefix}/ws/websocket") + f"?user={user.replace(' ', '%20')}"
    token = [("Authorization", "Bearer " + value(chance))] if sometimes(chance, 0.1) else []
    said = [upgrade(chance, path, token)]
    frames = [connect(chance), *(stomp(chance) for _ in range(chance.randint(0, 6)))]
    if sometimes(chance, 0.15):
        frames = [b"".join(frames)]
    said += [websocket(chance, frame, maybe(chance, 0.2, 1, 2)) for frame in frames]
    if sometimes(chance, 0.4):
        code = chance.choice((b"", b"\x03\xe8", b"\x03", b"\x03\xed", b"\x0f\xa0", b"\x03\xe8\xff"))
        said.append(websocket(chance, code, 8))
    return said


def _sockjs(chance: random.Random, prefix: str) -> Conversation:
    base = f"{prefix}/ws"
    session = f"{base}/{chance.randrange(1000):03}/{chance.randrange(10**9):x}"
    if sometimes(chance, 0.2):
        others = (
            f"{base}/info",
            f"{base}/iframe.html",
            base,
            f"{base};a=b/info",
            session,
            f"{session}/nothere",
        )
        return [request(chance, "GET", chance.choice(others))]
    if sometimes(chance, 0.1):
        said = [upgrade(chance, f"{session}/websocket")]
        return said + [websocket(chance, _posted(chance)) for _ in range(chance.randint(1, 4))]
    said: Conversation = [request(chance, "POST", f"{session}/xhr")]
    for _ in range(chance.randint(0, 5)):
        transport = chance.choice(_TRANSPORTS)
        query = (
            maybe(chance, 0.3, "?c=cb", "?c=" + value(chance)) if transport in ("htmlfile", "jsonp") else ""
        )
        body = b"" if "send" not in transport else _posted(chance)
        if transport == "jsonp_send":
            body = maybe(chance, 0.3, b"d=" + body, body)
        method = maybe(chance, 0.1, "POST" if transport.startswith("xhr") or body else "GET", "OPTIONS")
        said.append(request(chance, method, f"{session}/{transport}{query}", body=body))
    return said


def _posted(chance: random.Random) -> bytes:
    """Messages as SockJS carries them."""
    frames = [connect(chance), *(stomp(chance) for _ in range(chance.randint(0, 3)))]
    texts = [
        '"' + "".join(f"\\u{ord(each):04x}" for each in frame.decode("latin-1")) + '"' for frame in frames
    ]
    body = f"[{','.join(texts)}]".encode()
    return maybe(chance, 0.2, body, battered(chance, body))


def _push(chance: random.Random, prefix: str) -> bytes:
    usual: dict[str, Any] = {
        "user": chance.choice(("fuzz", "fuzz2", "nobody")),
        "destination": chance.choice(
            ("/topic/greetings", "/queue/x", "/topic/simp-user-registry", "/topic/a.*")
        ),
        "payload": maybe(chance, 0.1, "hello", value(chance)),
        "headers": {"ps-id": "1"},
        "confirm": sometimes(chance, 0.3),
    }
    if sometimes(chance, 0.2):
        del usual["user"]
    kind = [("Content-Type", maybe(chance, 0.1, "application/json", value(chance)))]
    return request(chance, "POST", f"{prefix}/push", kind, document(chance, usual))


def _at_discovery(chance: random.Random) -> Conversation:
    if sometimes(chance, 0.4):
        return _watch(chance)
    return [_eureka(chance) for _ in range(chance.randint(1, 6))]


def _watch(chance: random.Random) -> Conversation:
    said = [upgrade(chance, "/watch")]
    for _ in range(chance.randint(1, 6)):
        instance: dict[str, Any] = {
            "id": f"f{chance.randrange(50)}",
            "service": "fuzz",
            "host": "127.0.0.1",
            "port": 1,
        }
        if sometimes(chance, 0.3):
            instance[chance.choice(sorted(instance))] = chance.choice((value(chance), -1, None, 2**70))
        kind = chance.choice(("register", "register", "renew", "deregister", "nonsense"))
        line = document(
            chance, {"type": kind, "instance": instance, "lease_s": chance.choice((2.0, 0.1, -1, 1e308))}
        )
        said.append(websocket(chance, line, maybe(chance, 0.1, 1, 2)))
    return said


def _eureka(chance: random.Random) -> bytes:
    name = f"f{chance.randrange(50)}"
    one = f"/eureka/apps/FUZZ/{name}"
    match chance.randrange(6):
        case 0 | 1:
            kind = [("Content-Type", maybe(chance, 0.1, "application/json", value(chance)))]
            return request(
                chance, "POST", "/eureka/apps/FUZZ", kind, document(chance, {"instance": _said(chance, name)})
            )
        case 2:
            said = f"<instanceId>{name}</instanceId><app>FUZZ</app><hostName>h</hostName>"
            xml = f"<instance>{said}</instance>".encode()
            body = maybe(chance, 0.5, xml, battered(chance, xml))
            return request(chance, "POST", "/eureka/apps/FUZZ", [("Content-Type", "application/xml")], body)
        case 3:
            query = chance.choice(
                ("?status=UP&lastDirtyTimestamp=1", "?status=" + value(chance).replace(" ", "+"))
            )
            return request(
                chance,
                chance.choice(("PUT", "DELETE", "GET")),
                maybe(chance, 0.3, one, one + "/status") + query,
            )
        case 4:
            return request(chance, "PUT", f"{one}/metadata?{value(chance).replace(' ', '+')}=1")
        case _:
            lists = (
                "/eureka/apps",
                "/eureka/apps/",
                "/eureka/apps/delta",
                "/eureka/vips/x",
                "/info",
                "/health",
                "/",
                one,
            )
            accept = [("Accept", chance.choice(("application/json", "application/xml", value(chance))))]
            return request(chance, "GET", chance.choice(lists), accept)


def _said(chance: random.Random, name: str) -> dict[str, Any]:
    """What Eureka's clients say of themselves, more or less."""
    said: dict[str, Any] = {
        "instanceId": name,
        "app": "FUZZ",
        "hostName": "127.0.0.1",
        "ipAddr": "127.0.0.1",
        "vipAddress": "fuzz",
        "status": "UP",
        "port": {"$": 1, "@enabled": "true"},
        "dataCenterInfo": {"@class": "x", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": 1, "durationInSecs": chance.choice((1, 1, 90, -1, 2**70))},
        "metadata": {"a": "b"},
        "lastDirtyTimestamp": "1",
    }
    for _ in range(chance.choice((0, 0, 1, 3))):
        said[chance.choice(sorted(said))] = chance.choice(
            (value(chance), None, -1, [], {}, {"$": "x"}, 2**70)
        )
    return said


_ROLES: Final[dict[str, Callable[[random.Random], Conversation]]] = {
    "broker": _at_broker,
    "discovery": _at_discovery,
    "gateway": _at_gateway,
    "instance": _at_instance,
}
