"""What the visitors of the leak suite say to each role, by kind.

=================  ==========================================================================================
valid              a whole conversation, ended in order
malformed          the first frame (a line of ``/watch`` at discovery) is not one
half handshake     the beginning of a request or of CONNECT; then half of them leave, half reset
sockjs left        a SockJS session is opened by a poll, and nobody comes back for it
too big            a frame is announced that no limit allows, and the beginning of it comes
token refused      a token, at the broker a passcode, that is none
=================  ==========================================================================================

The gateway gets what an instance gets, which is behind it: whatever it keeps for a connection, it keeps for
these. There is no SockJS at the broker, which speaks STOMP only, and at discovery.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Literal

from core.protocol import encode

from .fanout_receivers import masked
from .leak_visitors import NUMBER, End, Step

Role = Literal["instance", "gateway", "broker", "discovery"]
Kind = Literal["valid", "malformed", "half handshake", "sockjs left", "too big", "token refused"]

ROLES: Final[tuple[Role, ...]] = ("instance", "gateway", "broker", "discovery")
KINDS: Final[tuple[Kind, ...]] = (
    "valid",
    "malformed",
    "half handshake",
    "sockjs left",
    "too big",
    "token refused",
)
#: Beyond every limit that a role may have for a WebSocket message or a STOMP frame.
_TOO_BIG: Final = 64 * 1024 * 1024
_BEGINNING: Final = b"x" * 1000


class Visitor:
    """What one kind of visitor says, and how it leaves.

    Attributes:
        steps: What is said.
        end: How it leaves.
        per_second: How many may begin in a second at most; 0 for no limit.
    """

    def __init__(self, *steps: Step, end: End = "stay", per_second: float = 0.0) -> None:
        self.steps = steps
        self.end: End = end
        self.per_second = per_second


def visitor(role: Role, kind: Kind) -> Visitor | None:
    """Who comes to a role; None where that makes no sense."""
    match role:
        case "instance":
            return _at_instance("")[kind]
        case "gateway":
            return _at_instance("/web-socket")[kind]
        case "discovery":
            return _AT_DISCOVERY.get(kind)
        case "broker":
            return _AT_BROKER.get(kind)


def _upgrade(path: str, *headers: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _too_big_message() -> bytes:
    """The head of a text message, and the beginning of its payload."""
    return b"\x81\xff" + _TOO_BIG.to_bytes(8, "big") + bytes(4) + _BEGINNING


_CONNECT: Final = encode("CONNECT", {"accept-version": "1.2", "host": "/"})
#: A WebSocket's close frame, code 1000; who has heard the other's end answers with it.
_GOODBYE: Final = Step(b"\x88\x82\0\0\0\0\x03\xe8")
_MALFORMED: Final = b"foo bar\n\n\0"


def _at_instance(prefix: str) -> Mapping[Kind, Visitor]:
    upgrade = _upgrade(f"{prefix}/ws")
    opened = Step(upgrade, b"\r\n\r\n")
    subscribe = encode("SUBSCRIBE", {"id": "0", "destination": "/user/topic/greetings", "receipt": "r"})
    poll = f"POST {prefix}/ws/000/s{NUMBER.decode()}/xhr HTTP/1.1"
    poll += "\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"
    return {
        "valid": Visitor(
            opened,
            Step(masked(_CONNECT), b"CONNECTED"),
            Step(masked(subscribe), b"RECEIPT"),
            Step(masked(encode("DISCONNECT", {"receipt": "bye"})), b"bye"),
            _GOODBYE,
        ),
        "malformed": Visitor(opened, Step(masked(_MALFORMED), b"ERROR"), _GOODBYE),
        "half handshake": Visitor(Step(upgrade[: len(upgrade) // 2]), end="by turns"),
        # Sessions may begin a thousand times a second, and live for five without a connection.
        "sockjs left": Visitor(Step(poll.encode(), b"o\n"), end="leave", per_second=900.0),
        "too big": Visitor(opened, Step(_too_big_message())),
        "token refused": Visitor(
            Step(_upgrade(f"{prefix}/ws", "Authorization: Bearer none"), b" 401 "), end="leave"
        ),
    }


def _registration() -> str:
    instance = {"id": f"i{NUMBER.decode()}", "service": "leaks", "host": "127.0.0.1", "port": 1}
    return json.dumps({"type": "register", "instance": instance})


_WATCH: Final = Step(_upgrade("/watch"), b"\r\n\r\n")
_AT_DISCOVERY: Final[Mapping[Kind, Visitor]] = {
    "valid": Visitor(
        _WATCH,
        Step(masked(_registration().encode()), b'"i' + NUMBER + b'"'),
        Step(masked(b'{"type":"deregister"}')),
        _GOODBYE,
    ),
    "malformed": Visitor(_WATCH, Step(masked(b"no document"), b"refused"), _GOODBYE),
    "half handshake": Visitor(Step(_WATCH.say[:90]), end="by turns"),
    "too big": Visitor(_WATCH, Step(_too_big_message())),
    "token refused": Visitor(Step(_upgrade("/watch", "Authorization: Bearer none"), b" 403 "), end="leave"),
}

_AT_BROKER: Final[Mapping[Kind, Visitor]] = {
    "valid": Visitor(
        Step(_CONNECT, b"CONNECTED"),
        Step(encode("SUBSCRIBE", {"id": "0", "destination": "/topic/leaks", "receipt": "r"}), b"RECEIPT"),
        Step(encode("DISCONNECT", {"receipt": "bye"}), b"bye"),
    ),
    "malformed": Visitor(Step(_MALFORMED)),
    "half handshake": Visitor(Step(_CONNECT[: len(_CONNECT) // 2]), end="by turns"),
    "too big": Visitor(
        Step(_CONNECT, b"CONNECTED"),
        Step(b"SEND\ndestination:/topic/leaks\ncontent-length:%d\n\n" % _TOO_BIG + _BEGINNING),
    ),
    # As with RabbitMQ, a refused peer may try again for as long as a CONNECT may take.
    "token refused": Visitor(
        Step(encode("CONNECT", {"accept-version": "1.2", "login": "guest", "passcode": "none"}), b"ERROR"),
        end="leave",
    ),
}
