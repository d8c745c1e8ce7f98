"""STOMP over SockJS: every transport's session is a session of the router, like a plain WebSocket's.

Payloads are quoted once for all receivers of a transport by the session's framing; the slow client's
queue, the timers and the counters are those of the instance.
"""

from __future__ import annotations

from core.protocol import SUBPROTOCOLS

from ..access.admission import Admission
from ..access.origins import Origins
from ..dispatch.router import Router
from ..settings.sockjs import SockJsSettings
from ..sockjs.application import Connection, Message
from ..sockjs.service import SockJsService


class StompOverSockJs:
    """One client; implements the router's ``Carrier`` and SockJS's ``Listener``."""

    __slots__ = ("_beats_known", "_connection", "_router", "_session")

    def __init__(self, router: Router, connection: Connection) -> None:
        self._router = router
        self._connection = connection
        self._session = router.open(self, connection.request.principal, connection.framing)
        self._beats_known = False

    # Carrier --------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send framed bytes."""
        self._connection.send_framed(data)

    def close(self, code: int, reason: str) -> None:
        """End the session behind what was written."""
        self._connection.close(code, reason)

    # Listener -------------------------------------------------------------------------------

    def received(self, message: Message) -> None:
        """The client has sent a piece of STOMP."""
        data = message if isinstance(message, bytes) else message.encode("utf-8", "replace")
        self._router.receive(self._session, data)
        if not self._beats_known and self._session.connected:
            self._beats_known = True
            beats = self._session.protocol.beats
            if beats.send_every or beats.expect_every:
                # STOMP's take their place (docs/wire/spring-relay.md §2.2)
                self._connection.stop_heartbeats()

    def full(self) -> None:
        """More waits for the client than it takes."""
        self._router.pause(self._session)

    def ready(self) -> None:
        """The client takes more."""
        self._router.resume(self._session)

    def closed(self, code: int, reason: str) -> None:
        """The session has ended."""
        self._router.closed(self._session)


def stomp_over_sockjs(
    router: Router, origins: Origins, admission: Admission, settings: SockJsSettings
) -> SockJsService:
    """The SockJS service of an instance.

    Args:
        router: What takes the clients' frames.
        origins: Which pages may connect.
        admission: Who may connect, and as whom.
        settings: SockJS's. What waits for a client beyond ``high_water`` waits in the router's queue.
    """

    def open_session(connection: Connection) -> StompOverSockJs:
        return StompOverSockJs(router, connection)

    subprotocols = tuple(SUBPROTOCOLS.values())
    return SockJsService(
        open_session, settings, origins=origins, admission=admission, subprotocols=subprotocols
    )
