"""Everything that can be set on one SockJS service (docs/wire/sockjs.md §0, §6, §9)."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from core.errors import UsageError

KIB: Final = 1024
#: The largest WebSocket message of a client; STOMP's own limit, which answers with ERROR, is below it.
LARGEST_MESSAGE: Final = 256 * KIB
#: A build that goes with the clients of today; the iframe page loads it.
CLIENT_URL: Final = "https://cdn.jsdelivr.net/npm/sockjs-client@1/dist/sockjs.min.js"


class SockJsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one service; times in seconds, sizes in bytes.

    Attributes:
        dialect: ``sockjs`` answers as sockjs-node 0.3.24 does and the protocol's test suite demands,
            ``spring`` as Spring does where the two differ (:mod:`server.sockjs.dialect`).
        websocket: Whether clients may use WebSockets; ``/info`` tells them.
        jsonp: Whether the transport JSONP is there. It is the one that a foreign page could read
            without CORS.
        cookie_needed: Whether answers carry a ``JSESSIONID`` cookie, for load balancers that go by it.
        bind_sessions: Whether a session belongs to the user (or, without one, the address) and the
            transport that began it; others get 404.
        cors: Whether CORS headers are sent; off where something in front sends them.
        allowed_origins: Origins of pages that may connect, ``*`` for all. Without any: pages of our
            own origin only.
        heartbeat_s: How often an attached client hears an ``h``; 0 for never.
        disconnect_s: How long a session lives without a receiving connection.
        response_limit: Bytes after which a streaming response ends; the client opens another.
        client_url: Where the iframe page loads sockjs-client from; begins with ``/`` or ``http``.
        base_url: What ``/info`` tells clients to use instead of the URL that they were given.
        max_sessions: Sessions of streaming and polling clients at a time.
        sessions_per_s: Such sessions that may begin in a second; as many may come at once.
        high_water: Bytes waiting for a client at which its application is told to hold back.
        max_waiting: Bytes that may wait for a client; over it the session ends.
        max_waiting_messages: The same, counted in messages; 0 for no such limit.
        max_body: Bytes of a body that a client posts.
        max_message: Bytes of one WebSocket message, where the server in front has no limit of its own.
        stall_s: How long a closed session's last response may take before its connection is cut.
    """

    dialect: Literal["sockjs", "spring"] = "sockjs"
    websocket: bool = True
    jsonp: bool = True
    cookie_needed: bool = False
    bind_sessions: bool = False
    cors: bool = True
    allowed_origins: tuple[str, ...] = ("*",)
    heartbeat_s: float = 25.0
    disconnect_s: float = 5.0
    response_limit: int = 128 * KIB
    client_url: str = CLIENT_URL
    base_url: str = ""
    max_sessions: int = 10_000
    sessions_per_s: float = 1000.0
    high_water: int = 64 * KIB
    max_waiting: int = 1024 * KIB
    max_waiting_messages: int = 0
    max_body: int = 256 * KIB
    max_message: int = LARGEST_MESSAGE
    stall_s: float = 2.0

    def __post_init__(self) -> None:
        if not self.client_url.startswith(("/", "http")) or '"' in self.client_url:
            raise UsageError(
                f"client_url {self.client_url!r} cannot be loaded by a page",
                hint="it begins with / or http",
            )


def spring_settings(**changes: Any) -> SockJsSettings:
    """Spring's defaults: its dialect, cookie on, no JSONP, 100 waiting messages, bound sessions.

    Args:
        changes: Settings that differ from them.
    """
    defaults: dict[str, Any] = {
        "dialect": "spring",
        "jsonp": False,
        "cookie_needed": True,
        "bind_sessions": True,
        "allowed_origins": (),
        "max_waiting_messages": 100,
    }
    return SockJsSettings(**{**defaults, **changes})
