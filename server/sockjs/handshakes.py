"""WebSocket handshakes of a service, and the connections that come of them (docs/wire/sockjs.md §5)."""

from __future__ import annotations

from typing import Any, Final

from core.errors import CloseCode

from ..access.admission import Admission, Denied
from ..access.origins import Origins
from ..connections.websocket import serve_accepted, serve_over_asgi
from ..sessions.session import Carrier
from ..settings.sockjs import SockJsSettings
from .answers import NOT_FOUND, PLAIN, Answer, Receive, Scope, Send, cached_for_a_year, deny, failed
from .application import Application
from .cors import refusal
from .exchanges import refused, request_of
from .paths import Target
from .websocket import RawSession, WebSocketGate, WebSocketSession

_STOPPING: Final = failed(503, b"the server stops\n", (b"retry-after", b"1"))
_NO_HANDSHAKE: Final = failed(400, b"This path takes no WebSocket.\n")


class Handshakes:
    """Accepts or refuses the WebSockets of one service.

    Args:
        settings: The service's.
        origins: Which pages may connect.
        application: What is served.
        admission: Who may connect, and as whom.
        subprotocols: Names of which the client's first one is chosen, in lower case.
    """

    def __init__(
        self,
        settings: SockJsSettings,
        origins: Origins,
        application: Application,
        admission: Admission,
        subprotocols: tuple[str, ...] = (),
    ) -> None:
        self._settings = settings
        self._origins = origins
        self._application = application
        self._admission = admission
        self._subprotocols = subprotocols
        #: The sessions that are connected now.
        self.sessions: set[WebSocketSession] = set()
        #: Whether the service stops: nobody is accepted any more.
        self.stopping = False

    async def serve(self, target: Target | None, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, from its handshake to its end or until it is taken over."""
        await receive()  # websocket.connect
        refusal = self._refusal(target, scope)
        if refusal is not None:
            await deny(scope, send, refusal)
            return
        try:
            request = request_of(scope, await self._admission.admit(scope))
        except Denied as denied:
            await deny(scope, send, refused(denied))
            return
        asked = scope.get("subprotocols", ())
        subprotocol = next((name for name in asked if name.lower() in self._subprotocols), None)
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        raw, largest = target is not None and target.kind == "raw", self._settings.max_message

        def make(carrier: Carrier) -> WebSocketSession:
            kind = RawSession if raw else WebSocketSession
            session = kind(carrier, request, self._settings, self.sessions.discard)
            self.sessions.add(session)
            session.begin(self._application)
            return session

        if raw:  # which has text and binary messages, and a connection that was taken over tells no kind
            await serve_over_asgi(WebSocketGate(make), None, _take_raw, receive, send, largest)
        else:
            await serve_accepted(WebSocketGate(make), None, scope, receive, send, largest)

    def close_all(self, code: int = CloseCode.GOING_AWAY, reason: str = "the server stops") -> None:
        """End all sessions and accept none any more."""
        self.stopping = True
        for session in list(self.sessions):
            session.close(code, reason)

    def _refusal(self, target: Target | None, scope: Scope) -> Answer | None:
        if target is None:
            return NOT_FOUND
        if target.kind not in ("raw", "websocket"):
            return _NO_HANDSHAKE
        if not self._settings.websocket:
            return NOT_FOUND._replace(headers=(PLAIN, *cached_for_a_year()))
        if (foreign := refusal(scope, self._origins)) is not None:
            return foreign
        return _STOPPING if self.stopping else None


def _take_raw(session: RawSession, message: dict[str, Any]) -> None:
    data = message.get("bytes")
    session.receive_message(data if data is not None else message["text"])
