"""uvicorn's HTTP protocol where it is not strict enough for SockJS (docs/wire/sockjs.md §2, §5).

- An HTTP/1.0 client gets no chunks: a response of unknown length ends with the connection.
- An absolute target is taken for what it is: its host is the one that was asked for.
- Only a GET of a version that is spoken becomes a WebSocket; anything else is an ordinary request, which
  the application refuses in its own words. The version 8 of a draft is 13 on the wire.
- An upgrade to what nobody here speaks (h2c) is not made, and the request is answered, with its body.
- The application may cut the connection of a client that takes nothing.
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from .http import HttpProtocol
from .targets import settle_target

#: Where an application finds a function that cuts the connection, in ``scope["extensions"]``.
ABORT: Final = "pushscope.abort"
_VERSION: Final = b"sec-websocket-version"
_SAME_AS_13: Final = b"8"
_WEBSOCKET: Final = b"websocket"


class StrictHttpProtocol(HttpProtocol):
    """One connection."""

    def on_headers_complete(self) -> None:
        """A request's head is whole; an exception becomes 400."""
        self.check_host()
        self.url = settle_target(self.url, self.headers)
        super().on_headers_complete()
        cycle: Any = self.cycle  # None at first
        scope: Any = self.scope
        parser: Any = self.parser
        if cycle is None or cycle.scope is not scope:
            return  # a handshake
        scope["extensions"] = {ABORT: self.transport.abort}
        if scope["http_version"] == "1.0":
            cycle.__class__ = Http10Cycle
        if parser.should_upgrade():
            cycle.keep_alive = False  # what comes behind a refused upgrade is not HTTP

    def open_websocket(self, early: bytes) -> None:
        """A handshake goes to the WebSocket protocol."""
        self.headers[:] = [
            (name, b"13" if name == _VERSION and value == _SAME_AS_13 else value)
            for name, value in self.headers
            if name != b"upgrade"
        ]
        self.headers.append((b"upgrade", _WEBSOCKET))  # the one that is chosen of those offered
        super().open_websocket(early)

    def _get_upgrade(self) -> bytes | None:
        # A client may offer others besides (RFC 9110 §7.8).
        parser: Any = self.parser
        offered = b",".join(value for name, value in self.headers if name == b"upgrade").lower()
        wants = _WEBSOCKET in [word.strip() for word in offered.split(b",")]
        return _WEBSOCKET if wants and parser.should_upgrade() else None

    def _take_upgrade(self, early: bytes) -> None:
        if self._refusal is not None or not self._ignored():
            super()._take_upgrade(early)
            return
        self.ignore_upgrade(early)

    def _ignored(self) -> bool:
        """Whether what comes wants an upgrade that nobody here knows: it goes on without."""
        parser: Any = self.parser
        if not parser.should_upgrade() or self.scope["method"] == "CONNECT":
            return False
        offered = b",".join(value for name, value in self.headers if name == b"upgrade").lower()
        return bool(offered) and _WEBSOCKET not in [word.strip() for word in offered.split(b",")]

    def _should_upgrade(self) -> bool:
        if self._ignored():
            return True  # the application is not started with this head, but with the one that follows
        if not super()._should_upgrade() or self.scope["method"] != "GET":
            return False
        version = next((value for name, value in self.headers if name == _VERSION), b"13")
        return version in (b"13", _SAME_AS_13)

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing to warn of: the application answers."""


class Http10Cycle(RequestResponseCycle):
    """A response without chunks."""

    _until_close = False

    async def send(self, message: Any) -> None:
        """An ASGI message of the application."""
        if message["type"] == "http.response.start":
            names = [name.lower() for name, _ in message.get("headers", ())]
            if b"content-length" not in names:
                self._until_close = True
                self.chunked_encoding = False
        elif self._until_close:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)
