"""The URL space of a service: what a path under its prefix means (docs/wire/sockjs.md §1)."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

Kind = Literal[
    "greeting",
    "iframe",
    "info",
    "raw",
    "websocket",
    "xhr",
    "xhr_streaming",
    "xhr_send",
    "eventsource",
    "htmlfile",
    "jsonp",
    "jsonp_send",
]

#: What each path answers to, in the order in which ``Allow`` names it.
METHODS: Final[dict[Kind, tuple[str, ...]]] = {
    "greeting": ("GET",),
    "iframe": ("GET",),
    "info": ("GET", "OPTIONS"),
    "raw": ("GET",),
    "websocket": ("GET",),
    "xhr": ("POST", "OPTIONS"),
    "xhr_streaming": ("POST", "OPTIONS"),
    "xhr_send": ("POST", "OPTIONS"),
    "eventsource": ("GET",),
    "htmlfile": ("GET",),
    "jsonp": ("GET",),
    "jsonp_send": ("POST",),
}
_OF_SESSIONS: Final[dict[str, Kind]] = {
    kind: kind for kind in METHODS if kind not in ("greeting", "iframe", "info", "raw")
}
#: A session's name is a key that a stranger chooses and that we keep.
_LONGEST_SEGMENT: Final = 256
_SESSION: Final = re.compile(r"/([^/.]+)/([^/.]+)/([^/.]+)", re.DOTALL)
_IFRAME: Final = re.compile(r"/iframe[0-9\-.a-z_]*\.html")
_PAGES: Final[dict[str, Kind]] = {"/info": "info", "/websocket": "raw"}


class Target(msgspec.Struct, frozen=True):
    """What a path means.

    Attributes:
        kind: Page or transport.
        session: The client's name for its session, "" where there is none. The segment before it is
            the load balancer's business and means nothing here.
    """

    kind: Kind
    session: str = ""


def target_of(path: str) -> Target | None:
    """What a path below the prefix means, or None for 404.

    Args:
        path: Percent-decoded, "" or beginning with a slash. One slash at its end is accepted.
    """
    if path in ("", "/"):
        return Target("greeting")
    path = path.removesuffix("/")
    kind = _PAGES.get(path)
    if kind is not None:
        return Target(kind)
    match = _SESSION.fullmatch(path)
    if match is not None:
        kind = _OF_SESSIONS.get(match[3])
        if kind is not None and len(match[2]) <= _LONGEST_SEGMENT:
            return Target(kind, match[2])
        return None
    return Target("iframe") if _IFRAME.fullmatch(path) else None
