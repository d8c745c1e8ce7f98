"""Runs application handlers for what clients send to the application prefix."""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from core.errors import BrokerUnavailable
from core.protocol import Send, Subscribe, application_path
from core.tasks import BackgroundTasks

from ..messages.counters import Counters
from ..sessions.session import Session
from ..settings.instance import InstanceSettings
from .conversion import MessageConversionError, UnsendableError
from .handler import Handler
from .invocation import Invocation
from .mapping import Handlers
from .replies import Replies
from .routes import AmbiguousMapping
from .template import MessagingTemplate

logger = logging.getLogger("pushscope.server")

#: Messages of one client that may wait while an asynchronous handler works on an earlier one.
_LONGEST_BACKLOG: Final = 1_000
#: Bytes of bodies that may wait so.
_LARGEST_BACKLOG: Final = 4 * 1024 * 1024

#: Destinations without a handler that are remembered, so that each is told once.
_MOST_TOLD: Final = 100
_LONGEST_SHOWN: Final = 300


class Application:
    """Calls handlers, in order for each client, and sends their results.

    Exceptions go to exception handlers; those that none takes are logged, the client is not told
    and stays connected (docs/wire/spring-relay.md §7.6).
    """

    def __init__(
        self,
        settings: InstanceSettings,
        handlers: Handlers,
        template: MessagingTemplate,
        replies: Replies,
        counters: Counters,
        tasks: BackgroundTasks,
    ) -> None:
        self._settings = settings
        self._handlers = handlers
        self._template = template
        self._replies = replies
        self._counters = counters
        self._tasks = tasks
        self._told: set[tuple[str, str]] = set()

    def handle(self, session: Session, event: Send | Subscribe, done: Callable[[], None]) -> bool:
        """Run the handler of a message or subscription.

        ``done`` is called when it has ended, unless with an exception that nobody handles.

        Returns:
            False if the client has sent far more than its handler keeps up with.
        """
        if session.backlog is not None:
            session.backlog.append((event, done))
            session.backlog_bytes += len(event.frame.body)
            return len(session.backlog) <= _LONGEST_BACKLOG and session.backlog_bytes <= _LARGEST_BACKLOG
        running = self._call(session, event, done)
        if running is not None:
            session.backlog = deque()
            self._tasks.start(self._finish(session, running), f"handler of session {session.id}")
        return True

    def _call(
        self, session: Session, event: Send | Subscribe, done: Callable[[], None]
    ) -> Awaitable[None] | None:
        """Run a handler to its end, or return what remains to be awaited."""
        destination = event.destination
        path = application_path(destination, self._settings.prefixes) or ""
        routes = self._handlers.messages
        if isinstance(event, Subscribe):
            routes = self._handlers.subscriptions
        if routes.separator != "/":
            path = path[1:]
        try:
            found = routes.find(path)
        except AmbiguousMapping as error:
            logger.error("%s", error)
            return None
        if found is None:
            self._unhandled(session, event)
            done()
            return None
        self._counters.handled += 1
        handler, variables = found
        invocation = Invocation(session, event.frame, destination, path, variables, self._template)
        try:
            result = handler.call(invocation)
            if inspect.isawaitable(result):
                return self._await(handler, event, invocation, result, done)
            self._reply(handler, event, invocation, result)
        except Exception as error:  # theirs: it must not end the client's session, nor ours
            return self._rescue(handler, event, invocation, error, done)
        done()
        return None

    def _unhandled(self, session: Session, event: Send | Subscribe) -> None:
        """Count what nobody handles; its RECEIPT says only that it came here, so the log says the rest."""
        self._counters.unroutable += 1
        told = (event.frame.command, event.destination)
        if told in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add(told)
        logger.warning(
            "nobody handles %s %r, first of session %s; more of them are counted only, as unroutable%s",
            event.frame.command,
            event.destination[:_LONGEST_SHOWN],
            session.id,
            "" if len(self._told) < _MOST_TOLD else ", and so are further destinations",
        )

    async def _await(
        self,
        handler: Handler,
        event: Send | Subscribe,
        invocation: Invocation,
        result: Awaitable[object],
        done: Callable[[], None],
    ) -> None:
        try:
            self._reply(handler, event, invocation, await result)
        except Exception as error:
            rescue = self._rescue(handler, event, invocation, error, done)
            if rescue is not None:
                await rescue
            return
        done()

    async def _finish(self, session: Session, running: Awaitable[None]) -> None:
        await running
        while session.backlog and not session.closed:
            event, done = session.backlog.popleft()
            session.backlog_bytes -= len(event.frame.body)
            remaining = self._call(session, event, done)
            if remaining is not None:
                await remaining
        session.backlog = None
        session.backlog_bytes = 0

    def _reply(
        self, handler: Handler, event: Send | Subscribe, invocation: Invocation, result: object
    ) -> None:
        if handler.answers and isinstance(event, Subscribe):
            self._replies.answer(invocation.session, event, result)
        else:
            self._replies.send(handler, invocation, result)

    # exceptions -----------------------------------------------------------------------------

    def _rescue(
        self,
        handler: Handler,
        event: Send | Subscribe,
        invocation: Invocation,
        error: Exception,
        done: Callable[[], None],
    ) -> Awaitable[None] | None:
        """Have an exception handled; returns what remains to be awaited."""
        rescuer = self._rescuer(handler, error)
        if rescuer is None or invocation.error is not None:  # an exception handler's own is not handled
            _log(invocation, error)
            return None
        invocation.error = error
        try:
            result = rescuer.call(invocation)
            if inspect.isawaitable(result):
                return self._await(rescuer, event, invocation, result, done)
            self._reply(rescuer, event, invocation, result)
        except Exception as second:
            _log(invocation, second)
            return None
        done()
        return None

    def _rescuer(self, handler: Handler, error: Exception) -> Handler | None:
        """In the handler's class for the exception, for its direct cause; then everybody's."""
        for handlers in (handler.errors, self._handlers.errors):
            found = handlers.find(error) or handlers.find(error.__cause__)
            if found is not None:
                return found
        return None


def _log(invocation: Invocation, error: Exception) -> None:
    destination = invocation.destination
    if isinstance(error, MessageConversionError) and not isinstance(error, UnsendableError):
        # The client's fault, who may make it as often as it likes: one line, and no traceback.
        session = invocation.session.id
        logger.info("session %s: its message to %s was not taken: %s", session, destination, error)
    elif isinstance(error, BrokerUnavailable):
        logger.warning("the reply of %s was not sent: %s", destination, error)
    else:
        logger.error("the handler of %s failed", destination, exc_info=error)
