"""What both kinds of SockJS carriers have in common: handing messages and the end to whoever connected."""

from __future__ import annotations

import asyncio

from ...errors import ConnectionClosed, LocalProtocolError
from ...protocol.sockjs import quote
from ...protocol.sockjs_client import SockJsSession
from ..base import CloseInfo, OnClose, OnData


class _Opening:
    """The beginning of one session, let go of afterwards: what came before the connecting call returned
    is kept back until it has."""

    __slots__ = ("done", "early", "ending")

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.early: list[bytes] = []
        self.ending: CloseInfo | None = None

    @property
    def opened(self) -> bool:
        done = self.done
        return done.done() and not done.cancelled() and done.exception() is None


class Delivering:
    """One session's messages and its end, in order, and not before the connecting call returned."""

    __slots__ = ("_on_close", "_on_data", "_opening", "_session")

    def __init__(self, on_data: OnData, on_close: OnClose) -> None:
        self._on_data: OnData = on_data
        self._on_close: OnClose = on_close
        self._opening: _Opening | None = _Opening()
        self._session = SockJsSession()

    async def _opened(self) -> None:
        """Return when the server has opened the session.

        Raises:
            HandshakeRefused: It refused.
            ConnectionClosed: The session ended instead.
        """
        if self._opening is not None:
            await self._opening.done

    def _take(self, frame: bytes) -> None:
        """Hand on what a frame brings.

        Raises:
            RemoteProtocolError: It is not what a server may send now.
        """
        opening = self._opening
        for message in self._session.receive(frame):
            if opening is None:
                self._on_data(message)
            else:
                opening.early.append(message)
        if opening is not None and self._session.opened and not opening.done.done():
            opening.done.set_result(None)
            # Behind the wake-up of whoever awaits the session.
            asyncio.get_running_loop().call_soon(self._release)

    def _release(self) -> None:
        """The connecting call has returned."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        for message in opening.early:
            self._on_data(message)
        if opening.ending is not None:
            self._tell(opening.ending)

    def _fail(self, error: Exception) -> None:
        """Let the connecting call raise this, if it has not returned."""
        if self._opening is not None and not self._opening.done.done():
            self._opening.done.set_exception(error)

    def _tell(self, info: CloseInfo) -> None:
        """Say the end, to the connecting call if it has not returned; the caller takes care of once."""
        opening = self._opening
        if opening is not None and opening.opened:
            opening.ending = info
        elif opening is not None:
            self._fail(ConnectionClosed(str(info), code=info.code, reason=info.reason))
        else:
            on_close, self._on_data, self._on_close = self._on_close, ignore, ignore
            on_close(info)


def ignore(_: object) -> None:
    """Take anything, do nothing: what an ended carrier calls."""


def quoted_text(data: bytes) -> str:
    """A message as the JSON string that carries it.

    Raises:
        LocalProtocolError: It is not UTF-8, which is all that SockJS carries.
    """
    try:
        return quote(data.decode())
    except UnicodeDecodeError as error:
        raise LocalProtocolError(
            f"SockJS carries text only, and this message is not UTF-8: {error}",
            tried=f"send {len(data)} bytes over SockJS",
            hint="encode the content, as Base64 for instance, or use a plain WebSocket",
        ) from None
