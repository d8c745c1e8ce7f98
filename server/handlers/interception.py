"""Runs interceptors between a client's frames and what they mean; made only where there are some."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from core.protocol import Connect, HeartbeatReceived, Malformed, Send, ServerEvent, Subscribe
from core.tasks import BackgroundTasks

from ..dispatch.router import Router
from ..messages.counters import Counters
from ..messages.refusal import Refusal
from ..sessions.session import Session
from .interceptors import ClientFrame, Denied, Intercepted, Interceptor, Verdict, event_of, frame_of

logger = logging.getLogger("pushscope.server")

#: Frames of one client that may wait while an interceptor works on an earlier one, and their bytes.
_MOST_WAITING: Final = 1_000
_MOST_WAITING_BYTES: Final = 4 * 1024 * 1024
#: How long interceptors may take over one frame.
_PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Pending:
    """A frame about which one of the interceptors has not made up its mind.

    Attributes:
        event: The frame.
        before: What interceptors saw of it first.
        now: What those before have made of it.
        index: Which interceptor it is.
        verdict: What it will say.
    """

    event: Intercepted
    before: ClientFrame
    now: ClientFrame
    index: int
    verdict: Awaitable[Verdict]

    def drop(self) -> None:
        """Nobody will wait for it."""
        if inspect.iscoroutine(self.verdict):
            self.verdict.close()


class _Queue(deque[ServerEvent]):
    """What one client sent meanwhile."""

    size = 0


class Interception:
    """Asks the interceptors, in their order, about every CONNECT, SUBSCRIBE and SEND.

    The order of one client's frames is kept: while an interceptor works on one, those behind it
    wait, all but heart-beats.

    Args:
        interceptors: In the order in which they are asked.
        router: Does what frames mean; its ``take`` becomes ours.
        counters: Counts what is refused.
        tasks: Those of the instance.
        patience_s: How long interceptors may take over one frame.
    """

    def __init__(
        self,
        interceptors: Sequence[Interceptor],
        router: Router,
        counters: Counters,
        tasks: BackgroundTasks,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._interceptors = tuple(interceptors)
        self._router = router
        self._counters = counters
        self._tasks = tasks
        self._patience_s = patience_s
        self._queues: dict[Session, _Queue] = {}
        router.take = self.take

    def take(self, session: Session, event: ServerEvent) -> None:
        """A client has sent a frame.

        Raises:
            Refusal: An interceptor does not let it through, or too many wait.
        """
        queue = self._queues.get(session)
        if queue is None:
            pending = self._ask(session, event)
            if pending is not None:
                self._queues[session] = _Queue()
                self._tasks.start(self._work(session, pending), f"interceptors of session {session.id}")
            return
        if isinstance(event, HeartbeatReceived):
            self._router.perform(session, event)
            return
        queue.append(event)
        queue.size += _size(event)
        if len(queue) > _MOST_WAITING or queue.size > _MOST_WAITING_BYTES:
            raise Refusal("too many messages", "They come faster than they can be checked.")

    def send_now(self, session: Session, event: Send) -> None:
        """Let a message through or not, without waiting: its client is about to be ended.

        Raises:
            Refusal: An interceptor does not let it through, or would have to be waited for.
        """
        if session in self._queues:
            raise Refusal("not checked in time", "")
        pending = self._ask(session, event)
        if pending is not None:
            pending.drop()
            raise Refusal("not checked in time", "")

    async def _work(self, session: Session, pending: _Pending) -> None:
        """Wait for interceptors, frame by frame, until nothing of the client waits any more."""
        found: list[_Pending] = [pending]

        def ask(session: Session, event: ServerEvent) -> None:
            more = self._ask(session, event)
            if more is not None:
                found.append(more)

        queue = self._queues[session]
        try:
            while found:
                pending = found.pop()
                go_on = await self._settled(pending)
                if session.closed:
                    return
                self._router.attempt(session, pending.event, go_on)
                while queue and not found and not session.closed:
                    waiting = queue.popleft()
                    queue.size -= _size(waiting)
                    self._router.attempt(session, waiting, ask)
        finally:
            for pending in found:
                pending.drop()
            del self._queues[session]

    async def _settled(self, pending: _Pending) -> Callable[[Session, ServerEvent], None]:
        """What is to be done when the interceptors have made up their minds."""
        event, before = pending.event, pending.before
        try:
            async with asyncio.timeout(self._patience_s):
                after = _checked(pending.now, await pending.verdict)
                for interceptor in self._interceptors[pending.index + 1 :]:
                    verdict = interceptor(after)
                    if inspect.isawaitable(verdict):
                        verdict = await verdict
                    after = _checked(after, verdict)
        except Exception as error:
            return functools.partial(_refuse, self._refusal(before, error))
        return lambda session, _: self._let_through(session, event, before, after)

    def _ask(self, session: Session, event: ServerEvent) -> _Pending | None:
        """Ask the interceptors; returns what is to be awaited, if one of them is not done."""
        match event:
            case Send() | Subscribe():
                before = frame_of(session, event, session.user)
            case Connect():
                before = frame_of(session, event, self._router.user_of(session, event))
            case _:
                self._router.perform(session, event)
                return None
        after = before
        for index, interceptor in enumerate(self._interceptors):
            try:
                verdict = interceptor(after)
                if inspect.isawaitable(verdict):
                    return _Pending(event, before, after, index, verdict)
                after = _checked(after, verdict)
            except Exception as error:
                raise self._refusal(before, error) from None
        self._let_through(session, event, before, after)
        return None

    def _let_through(
        self, session: Session, event: Intercepted, before: ClientFrame, after: ClientFrame
    ) -> None:
        event = event_of(event, before, after)
        if isinstance(event, Connect):
            self._router.connect(session, event, after.user)
        else:
            self._router.perform(session, event)

    def _refusal(self, frame: ClientFrame, error: Exception) -> Refusal:
        self._counters.refused_frames += 1
        if isinstance(error, Denied):
            return Refusal(str(error), error.detail)
        logger.error("an interceptor failed: %r", frame, exc_info=error)
        return Refusal("The message could not be checked", "It was not accepted. The server's log says why.")


def _size(event: ServerEvent) -> int:
    return 0 if isinstance(event, Malformed | HeartbeatReceived) else len(event.frame.body)


def _refuse(refusal: Refusal, session: Session, event: ServerEvent) -> None:
    raise refusal


def _checked(frame: ClientFrame, verdict: Verdict) -> ClientFrame:
    """What an interceptor returned, if that makes sense."""
    if verdict is None or verdict is frame:
        return frame
    if not isinstance(verdict, ClientFrame):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"an interceptor returns None or a ClientFrame, not {verdict!r}")
    if verdict.command != frame.command or verdict.session_id != frame.session_id:
        raise ValueError("an interceptor cannot change the command or the session")
    if frame.command != "CONNECT" and verdict.user != frame.user:
        raise ValueError("an interceptor can set the user at CONNECT only")
    if bool(verdict.destination) is (frame.command == "CONNECT"):
        raise ValueError("SUBSCRIBE and SEND have a destination, CONNECT has none")
    return verdict
