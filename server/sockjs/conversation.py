"""Applications as coroutines: one per session, instead of callbacks.

::

    async def echo(conversation: Conversation) -> None:
        async for message in conversation:
            conversation.send(message)

    service = SockJsService(Conversations(echo))
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from core.errors import CloseCode
from core.tasks import BackgroundTasks

from .application import Connection, Message, Request

logger = logging.getLogger("pushscope.sockjs")

#: Characters of messages that may wait for a coroutine that does something else.
_MOST_WAITING: Final = 1024 * 1024


class Conversation:
    """One session, for a coroutine; implements ``Listener``.

    Iterating gives the client's messages and ends when the session has ended.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._received: deque[Message] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        #: Code and reason of the end, None while the session lives.
        self.ended: tuple[int, str] | None = None

    @property
    def id(self) -> str:
        """An opaque id of our own."""
        return self._connection.id

    @property
    def transport(self) -> str:
        """The transport, as in its path; ``raw`` for a WebSocket without SockJS framing."""
        return self._connection.transport

    @property
    def request(self) -> Request:
        """What began the session."""
        return self._connection.request

    def send(self, message: Message) -> None:
        """Queue a message."""
        self._connection.send(message)

    async def drain(self) -> None:
        """Return when the client has taken most of what waits for it, or the session has ended."""
        await self._writable.wait()

    def close(self, code: int = 3000, reason: str = "Go away!") -> None:
        """End the session behind what was sent."""
        self._connection.close(code, reason)

    def __aiter__(self) -> Conversation:
        return self

    async def __anext__(self) -> Message:
        while not self._received:
            if self.ended is not None:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        message = self._received.popleft()
        self._size -= len(message)
        return message

    # what the service reports (Listener) ----------------------------------------------------

    def received(self, message: Message) -> None:
        """The client has sent a message."""
        self._received.append(message)
        self._size += len(message)
        self._wake.set()
        if self._size > _MOST_WAITING:
            self._connection.close(CloseCode.SESSION_LIMIT, "more messages than the server takes")

    def full(self) -> None:
        """Hold back in :meth:`drain`."""
        self._writable.clear()

    def ready(self) -> None:
        """Go on."""
        self._writable.set()

    def closed(self, code: int, reason: str) -> None:
        """The session has ended."""
        self.ended = (code, reason)
        self._wake.set()
        self._writable.set()


class Conversations:
    """An ``Application`` that runs a coroutine for each session.

    A session ends with its coroutine. An error in it is logged and ends the session with 1011.
    """

    def __init__(self, run: Callable[[Conversation], Awaitable[None]]) -> None:
        self._run = run
        self._tasks = BackgroundTasks()

    def __call__(self, connection: Connection) -> Conversation:
        """A session has begun."""
        conversation = Conversation(connection)
        self._tasks.start(self._converse(conversation), f"SockJS session {conversation.id}")
        return conversation

    async def _converse(self, conversation: Conversation) -> None:
        try:
            await self._run(conversation)
        except Exception:
            logger.exception("the handler of SockJS session %s failed", conversation.id)
            conversation.close(CloseCode.INTERNAL_ERROR, "the server failed")
        else:
            conversation.close(CloseCode.NORMAL, "Normal closure")
