"""What becomes of clients when the broker goes: they stay, or they are ended as with Spring.

By default a client keeps its connection and its subscriptions are made again when the broker is back
(docs/decisions/04-broker-by-url.md). With ``spring`` every client gets ERROR and is closed with 1002 when the
broker is lost, and so is whoever says anything, a heart-beat too, while it is away
(docs/wire/spring-relay.md §6.5).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from core.errors import CloseCode
from core.protocol import Malformed, Send, ServerEvent, application_path

from ..messages.refusal import Refusal
from ..sessions.hub import Hub
from ..sessions.session import Session
from ..settings.instance import InstanceSettings
from .router import Router

logger = logging.getLogger("pushscope.server")

#: Spring's words.
NOT_AVAILABLE: Final = "Broker not available."
CLOSED: Final = "Connection to broker closed."


class EndWithBroker:
    """Spring's way; made for ``on_broker_loss = "spring"`` only.

    Args:
        settings: Which destinations are the application's.
        hub: The clients.
        router: Ends them, and asks :meth:`refuse` while :attr:`Router.without_broker` is set.
        send: Runs application handlers, which do without the broker.
        at_once: Whether a loss ends all clients; not if each has its own connection to the broker.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        hub: Hub,
        router: Router,
        send: Callable[[Session, Send], None],
        *,
        at_once: bool = True,
    ) -> None:
        self._settings = settings
        self._hub = hub
        self._router = router
        self._send = send
        self._at_once = at_once
        router.without_broker = self.refuse

    def on_availability(self, available: bool, reason: str) -> None:
        """The broker has come or gone."""
        if available:
            self._router.without_broker = None
            return
        self._router.without_broker = self.refuse
        if not self._at_once:
            return
        connected = [session for session in self._hub.sessions.values() if session.connected]
        if connected:
            logger.warning("the broker is gone (%s): ending %d clients", reason, len(connected))
        for session in connected:
            self._end(session, CLOSED)

    def refuse(self, session: Session, events: Sequence[ServerEvent]) -> None:
        """Take what a client says while the broker is away: handlers still run, then it is ended."""
        for event in events:
            match event:
                case Malformed():
                    self._router.close(
                        session, event.error.close_code, str(event.error)[:100], event.error.answer
                    )
                    return
                case Send() if self._is_handled(event) and session.connected:
                    try:
                        self._send(session, event)
                    except Refusal as refusal:
                        logger.info("session %s: %s", session.id, refusal)
                case _:
                    pass
        self._end(session, NOT_AVAILABLE)

    def _is_handled(self, event: Send) -> bool:
        return (
            event.transaction is None
            and application_path(event.destination, self._settings.prefixes) is not None
        )

    def _end(self, session: Session, message: str) -> None:
        self._router.close(session, CloseCode.PROTOCOL_ERROR, message, session.protocol.error(message))
