"""Responses by which a client receives: one frame (polling) or many (streaming) (docs/wire/sockjs.md §5)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from core.protocol import sockjs

from ..sockets.strict_http import ABORT
from .answers import Answer, Receive, Scope, Send, failed
from .dialect import Dialect, Header
from .session import HttpSession

_ANOTHER: Final = sockjs.close_frame(*sockjs.ANOTHER_CONNECTION).encode()
_CLOSE: Final = ord("c")
_CALLBACK: Final = re.compile(r"[a-zA-Z0-9\-_.]+")


class Transport(msgspec.Struct, frozen=True, kw_only=True):
    """How one transport writes frames.

    Attributes:
        name: As in its path.
        streaming: Whether a response takes many frames.
        content_type: Of the response.
        wrap: Makes a chunk of a frame; the second argument is the callback, "" without one.
        prelude: What goes first, made of the callback.
        longest_callback: Of the callback that the client names; 0 where there is none.
        cors: Whether other origins may read the answer.
        headers: Further headers.
    """

    name: str
    streaming: bool
    content_type: bytes
    wrap: Callable[[bytes, str], bytes]
    prelude: Callable[[str], bytes] | None = None
    longest_callback: int = 0
    cors: bool = False
    headers: tuple[Header, ...] = ()


class Response:
    """One response that takes frames; implements ``Receiver``."""

    __slots__ = ("_abort", "_wake", "finishing", "gone")

    def __init__(self, abort: Callable[[], None] | None) -> None:
        self.finishing = False
        #: Whether the client went away.
        self.gone = False
        self._wake = asyncio.Event()
        self._abort = abort

    def wake(self) -> None:
        """There is something to take."""
        self._wake.set()

    async def wait(self) -> None:
        """Return when there may be something to take."""
        await self._wake.wait()
        self._wake.clear()

    def abort(self) -> None:
        """Cut the connection, where the server lets us; else end the response when it can."""
        self.gone = True
        if self._abort is not None:
            self._abort()
        self._wake.set()


class Receiving:
    """Serves the receiving requests of one service.

    Args:
        limit: Bytes after which a streaming response ends.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    async def serve(
        self,
        session: HttpSession,
        transport: Transport,
        callback: str,
        headers: tuple[Header, ...],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """One response, from its head to its end.

        Args:
            session: Whose frames.
            transport: How they are written.
            callback: The callback that the client named, checked.
            headers: Headers of the answer beyond the content type.
            scope: ASGI's.
            receive: ASGI's.
            send: ASGI's.
        """
        extensions: dict[str, Any] = scope.get("extensions") or {}
        response = Response(extensions.get(ABORT))
        head: list[Header] = [(b"content-type", transport.content_type), *transport.headers, *headers]
        attached = session.attach(response)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": head})
            if transport.prelude is not None:
                await send(_chunk(transport.prelude(callback)))
            if not attached:
                await send(_chunk(transport.wrap(_ANOTHER, callback), last=True))
                return
            first = session.take()
            if first is not None and not transport.streaming:
                await self._finish(send, response, transport.wrap(first, callback))
                session.detach(response)
                return
            async with asyncio.TaskGroup() as group:
                watcher = group.create_task(_watch(session, response, receive))
                await self._stream(session, response, transport, callback, first, send)
                watcher.cancel()
        except OSError:
            response.gone = True
        finally:
            if response.gone:
                session.interrupt(response)
            else:
                session.detach(response)

    async def _stream(
        self,
        session: HttpSession,
        response: Response,
        transport: Transport,
        callback: str,
        frame: bytes | None,
        send: Send,
    ) -> None:
        """Write frames as they come, each in a chunk of its own, until the last."""
        sent = 0
        try:
            while not response.gone:
                if frame is None:
                    await response.wait()
                else:
                    chunk = transport.wrap(frame, callback)
                    sent += len(chunk)
                    if not transport.streaming or sent >= self._limit or frame[0] == _CLOSE:
                        await self._finish(send, response, chunk)
                        return
                    await send(_chunk(chunk))
                frame = session.take()
        except OSError:  # what servers raise whose client is gone
            response.gone = True

    @staticmethod
    async def _finish(send: Send, response: Response, chunk: bytes) -> None:
        # The client's next request may be here before we hear that this one is written.
        response.finishing = True
        await send(_chunk(chunk, last=True))


async def _watch(session: HttpSession, response: Response, receive: Receive) -> None:
    """Notice that the client goes away; what it posts meanwhile is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if not response.finishing:
        response.gone = True
        session.interrupt(response)
        response.wake()


def _chunk(body: bytes, *, last: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": not last}


def callback_of(query: bytes, longest: int, dialect: Dialect) -> str | Answer:
    """The callback that a query names (``c`` or ``callback``), or the error.

    Args:
        query: Raw query.
        longest: Most characters.
        dialect: How the errors read.
    """
    found: dict[bytes, bytes] = {}
    for pair in query.split(b"&")[:50]:
        name, _, value = pair.partition(b"=")
        found.setdefault(name, value)
    text = unquote_to_bytes(found.get(b"c") or found.get(b"callback") or b"").decode("latin-1")
    if not text:
        return failed(500, b'"callback" parameter required')
    if len(text) > longest or not _CALLBACK.fullmatch(text):
        required = dialect.one_callback_error
        return failed(500, b'"callback" parameter required' if required else b'invalid "callback" parameter')
    return text
