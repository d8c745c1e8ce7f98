"""Runs application handlers for what clients send to the application prefix."""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from core.errors import BrokerUnavailable
from core.protocol import Send, application_path

from ..brokers.base import Broker
from ..counters import Counters
from ..sessions.session import Session
from ..settings import InstanceSettings
from ..users.local_delivery import LocalDelivery, UserMessage
from ..users.strategies import Strategy
from .mapping import Handlers, MessageContext, MessageHandler, SendTo, SendToUser, encode_result

logger = logging.getLogger("pushscope.server")

#: Messages of one client that may wait while an asynchronous handler works on an earlier one.
_LONGEST_BACKLOG: Final = 1_000

#: Runs a coroutine as a task that somebody keeps.
Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Application:
    """Calls handlers, in order for each client, and sends their results.

    Exceptions of handlers are logged; the client is not told and stays connected (spec 7.6).
    """

    def __init__(
        self,
        settings: InstanceSettings,
        handlers: Handlers,
        strategy: Strategy,
        local: LocalDelivery,
        broker: Broker,
        counters: Counters,
        spawn: Spawn,
    ) -> None:
        self._settings = settings
        self._handlers = handlers
        self._strategy = strategy
        self._local = local
        self._broker = broker
        self._counters = counters
        self._spawn = spawn

    def handle(self, session: Session, send: Send, done: Callable[[], None]) -> bool:
        """Run the handler of a message; ``done`` when it has ended without an exception.

        Returns:
            False if the client has sent far more than its handler keeps up with.
        """
        if session.backlog is not None:
            session.backlog.append((send, done))
            return len(session.backlog) <= _LONGEST_BACKLOG
        running = self._call(session, send, done)
        if running is not None:
            session.backlog = deque()
            self._spawn(self._finish(session, running))
        return True

    def _call(self, session: Session, send: Send, done: Callable[[], None]) -> Awaitable[None] | None:
        """Run a handler to its end, or return what remains to be awaited."""
        path = application_path(send.destination, self._settings.prefixes) or ""
        handler = self._handlers.find(path)
        if handler is None:
            self._counters.unroutable += 1
            logger.info("no handler for %s (session %s)", send.destination, session.id)
            done()
            return None
        self._counters.handled += 1
        context = MessageContext(session.user, session.id, send.destination, send.frame.headers)
        try:
            result = handler.call(send.frame.body, context)
            if inspect.isawaitable(result):
                return self._await(session, handler, path, result, done)
            self._reply(session, handler, path, result)
        except Exception:  # theirs: it must not end the client's session, nor ours
            logger.exception("the handler of %s failed", send.destination)
            return None
        done()
        return None

    async def _await(
        self,
        session: Session,
        handler: MessageHandler,
        path: str,
        result: Awaitable[object],
        done: Callable[[], None],
    ) -> None:
        try:
            self._reply(session, handler, path, await result)
        except Exception:
            logger.exception("the handler of %s failed", path)
            return
        done()

    async def _finish(self, session: Session, running: Awaitable[None]) -> None:
        await running
        while session.backlog and not session.closed:
            send, done = session.backlog.popleft()
            remaining = self._call(session, send, done)
            if remaining is not None:
                await remaining
        session.backlog = None

    def _reply(self, session: Session, handler: MessageHandler, path: str, result: object) -> None:
        if result is None:
            return
        body, content_type = encode_result(result)
        headers = {"content-type": content_type}
        try:
            for reply in handler.replies or (SendTo(),):
                match reply:
                    case SendToUser():
                        message = UserMessage(
                            session.user, reply.destination or f"/queue{path}", headers, body
                        )
                        self._to_user(session, reply, message)
                    case SendTo():
                        for destination in reply.destinations or (f"/topic{path}",):
                            self._broker.publish(destination, headers, body)
        except BrokerUnavailable as error:
            logger.warning("the reply of %s was not sent: %s", path, error)

    def _to_user(self, session: Session, reply: SendToUser, message: UserMessage) -> None:
        # An anonymous session is addressed by itself (spec 4.4).
        if session.user and reply.broadcast:
            self._strategy.send(message)
        else:
            self._local.to_session(session, message)
