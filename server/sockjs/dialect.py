"""Where servers of the protocol differ on the wire (docs/wire/sockjs.md §0, §9)."""

from __future__ import annotations

from typing import Final

import msgspec

from core.errors import CloseCode

Header = tuple[bytes, bytes]
#: Spring's words for a client that does not take what is sent (docs/wire/spring-relay.md §2.5).
_OVERFLOW: Final = "Failed to send message within the configured send limit"


class Dialect(msgspec.Struct, frozen=True):
    """One way to answer.

    Attributes:
        no_cache: ``Cache-Control`` of what must not be cached.
        cors_without_origin: Whether requests without ``Origin`` get CORS headers (``*``).
        eventsource_type: Content type of the transport eventsource.
        cached_iframe: Whether the iframe page may be cached.
        parameters: Whether what follows ``;`` in a segment of a path is no part of it; then it may not be
            there behind the name of a transport.
        message_per_frame: Whether streaming sends every message in a frame of its own.
        go_away: Whether a closed session answers 3000 ``Go away!`` whatever its end was.
        broken: Close code of a WebSocket that sent broken JSON, and its reason.
        broken_frame: Whether a close frame ``c[…]`` goes before that.
        close_as_told: Whether the WebSocket closes with the session's code, instead of 1000.
        not_websocket: Body of the 400 to a plain request on a WebSocket's path.
        one_callback_error: Whether a malformed callback is answered like a missing one.
        signed_entropy: Whether ``/info`` gives a signed number, after Java's fashion and order.
        version_refused: Status for a WebSocket version that nobody speaks any more.
        beat_after_silence: Whether a message puts the next heart-beat off; else they come regularly.
        overflow: End of a session for which too much waits.
    """

    no_cache: bytes
    cors_without_origin: bool
    eventsource_type: bytes
    cached_iframe: bool
    parameters: bool
    message_per_frame: bool
    go_away: bool
    broken: tuple[int, str]
    broken_frame: bool
    close_as_told: bool
    not_websocket: bytes
    one_callback_error: bool
    signed_entropy: bool
    version_refused: int
    beat_after_silence: bool
    overflow: tuple[int, str]


#: sockjs-node 0.3.24 and the protocol's own test suite.
SOCKJS: Final = Dialect(
    no_cache=b"no-store, no-cache, no-transform, must-revalidate, max-age=0",
    cors_without_origin=True,
    eventsource_type=b"text/event-stream",
    cached_iframe=True,
    parameters=False,
    message_per_frame=False,
    go_away=False,
    broken=(3000, "Broken framing."),
    broken_frame=False,
    close_as_told=False,
    not_websocket=b"Not a valid websocket request",
    one_callback_error=False,
    signed_entropy=False,
    version_refused=400,
    beat_after_silence=False,
    overflow=(CloseCode.SESSION_LIMIT, _OVERFLOW),
)

SPRING: Final = Dialect(
    no_cache=b"no-store, no-cache, must-revalidate, max-age=0",
    cors_without_origin=False,
    eventsource_type=b"text/event-stream; charset=UTF-8",
    cached_iframe=False,
    parameters=True,
    message_per_frame=True,
    go_away=True,
    broken=(1007, ""),
    broken_frame=True,
    close_as_told=True,
    not_websocket=b'Can "Upgrade" only to "WebSocket".',
    one_callback_error=True,
    signed_entropy=True,
    version_refused=426,
    beat_after_silence=True,
    overflow=(CloseCode.PROTOCOL_ERROR, _OVERFLOW),
)

DIALECTS: Final = {"sockjs": SOCKJS, "spring": SPRING}
