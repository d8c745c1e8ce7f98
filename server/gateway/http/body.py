"""The body of a client's request: passed on as it comes, kept for a second try only if it is short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Receive

from ..heads import Header, values
from .upstream import UpstreamConnection


class BodyError(Exception):
    """The body is not taken: ``status`` and words for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class RequestBody:
    """The body that belongs to a request's head.

    Args:
        headers: Of the request.
        receive: ASGI's, for the pieces.
        arrived: Whether ``receive`` has something to give at once.
        most: Bytes that are taken.
        silence_s: Seconds in which the next piece must come; 0: no limit.

    Attributes:
        present: Whether there is one.
        chunked: Whether its length is not known before its end.
        whole: All of it, if it came in one piece (SockJS's sends do); b"" if there is none; None
            if the rest is still to come.
        complete: Whether all of it has been taken from the client.
        size: Bytes taken so far.
    """

    def __init__(
        self,
        headers: list[Header],
        receive: Receive,
        arrived: Callable[[], bool],
        most: int,
        silence_s: float,
    ) -> None:
        lengths = values(headers, b"content-length")
        self.chunked = bool(values(headers, b"transfer-encoding"))
        self.present = self.chunked or any(value.strip(b"0") for value in lengths)
        self.whole: bytes | None = None if self.present else b""
        self.complete = not self.present
        self._announced = int(lengths[0]) if lengths else 0
        self._receive = receive
        self._arrived = arrived
        self._most = most
        self._silence_s = silence_s or None
        self.size = 0
        self._first = b""

    async def begin(self) -> None:
        """Take the first piece.

        Raises:
            BodyError: it is longer than allowed (or says so), or does not come.
            ClientGone: the client is gone.
        """
        if self._announced > self._most:
            raise BodyError(413, f"a request body has {self._most} bytes at most")
        if self.present:
            self._first = await self._take()
            if self.complete:
                self.whole = self._first

    async def pump(self, upstream: UpstreamConnection, patience_s: float) -> None:
        """Pass on all that comes, as it comes; for a body that is not whole.

        The exchange fails if upstream takes nothing for ``patience_s`` seconds (0: no limit).

        Raises:
            BodyError, ClientGone: as :meth:`begin`.
        """
        piece, self._first = self._first, b""
        while True:
            if piece:
                upstream.send(b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunked else piece)
                await upstream.drain(patience_s)
            if self.complete:
                break
            piece = await self._take()
        if self.chunked:
            upstream.send(b"0\r\n\r\n")

    async def _take(self) -> bytes:
        if self._arrived():
            message = await self._receive()
        else:
            try:
                async with asyncio.timeout(self._silence_s):
                    message = await self._receive()
            except TimeoutError:
                raise BodyError(
                    408, f"nothing of the request's body came for {self._silence_s:g} s"
                ) from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self.size += len(piece)
        if self.size > self._most:
            raise BodyError(413, f"a request body has {self._most} bytes at most")
        self.complete = not message.get("more_body", False)
        return piece
