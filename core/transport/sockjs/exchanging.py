"""The carrier of xhr-streaming, eventsource and xhr-polling: a request that brings frames, made again
and again, and short ones that send (docs/wire/sockjs.md §5, §8)."""

from __future__ import annotations

import asyncio
from typing import Final

from ...errors import CloseCode, ConnectionClosed, HandshakeRefused, RemoteProtocolError
from ..base import CloseInfo, OnClose, OnData
from .addresses import Base
from .connection import Call
from .cookies import Cookies
from .delivering import Delivering, ignore, quoted_text
from .http import HttpPool
from .options import SockJs
from .receiving import Receive, Receiving
from .sending import Sending
from .splitting import Splitter

#: Seconds for the server to end the session behind the last words: STOMP's goodbye is one, and what is
#: under way comes before its answer.
_LINGER: Final = 0.5


class ExchangeCarrier(Delivering):
    """A :class:`~core.transport.base.Carrier` over HTTP requests; made by :mod:`.connecting`."""

    __slots__ = (
        "_asked",
        "_closing",
        "_ended",
        "_how",
        "_reading",
        "_receive",
        "_receiving",
        "_request",
        "_sending",
        "_splitter",
        "_timer",
        "base",
        "jar",
        "path",
        "pool",
        "received_ns",
    )

    def __init__(
        self,
        pool: HttpPool,
        base: Base,
        path: str,
        receiving: Receiving,
        cookies: Cookies,
        on_data: OnData,
        on_close: OnClose,
        how: SockJs,
    ) -> None:
        """``path`` is ``/{server}/{session}``; nothing is sent before :meth:`open`."""
        super().__init__(on_data, on_close)
        self.received_ns = 0
        self.pool = pool
        self.base = base
        self.path = path
        self._receiving = receiving
        self.jar = cookies
        self._how = how
        self._splitter: Splitter = receiving.splitter(how.max_message)
        self._receive: Call | None = None
        self._request = b""
        self._sending = Sending(self)
        self._reading = True
        self._asked = False
        self._closing: CloseInfo | None = None
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Begin the session; returns when the server has opened it.

        Raises:
            HandshakeRefused: The server refused it.
            ConnectionClosed: It ended the session instead, or nobody answers.
        """
        self._poll()
        try:
            await self._opened()
        except BaseException:
            self._on_data = self._on_close = ignore
            self._finish(CloseInfo(CloseCode.ABNORMAL))
            raise

    # ---- Carrier ----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send one message; see :class:`~core.transport.base.Carrier`.

        Raises:
            LocalProtocolError: It is not UTF-8, which is all that SockJS carries.
            ConnectionClosed: The session has ended or is being closed.
        """
        if self._ended or self._asked:
            raise ConnectionClosed("cannot send: the connection is closed or closing")
        quoted = quoted_text(data)
        sending = self._sending
        sending.put(quoted)
        if sending.unsent > self._how.max_backlog:
            error = f"the peer does not read: {sending.unsent} bytes unsent"
            self._drop(CloseInfo(CloseCode.ABNORMAL, error=error))

    async def drain(self) -> None:
        """Wait for room; see :class:`~core.transport.base.Carrier`."""
        if not self._ended:
            await self._sending.drain()
        if self._ended:
            raise ConnectionClosed("the connection ended while waiting for room to send")

    def set_reading(self, on: bool) -> None:
        """Stop or resume reading; see :class:`~core.transport.base.Carrier`."""
        self._reading = on
        if self._receive is not None:
            self._receive.pause(not on)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the session behind what was sent; see :class:`~core.transport.base.Carrier`.

        The server is told nothing (docs/wire/sockjs.md §8): it notices that nobody receives any more. Unless
        it ends the session itself meanwhile, ``on_close`` gets ``code`` and ``reason``.
        """
        if self._ended or self._asked:
            return
        self._asked = True
        self._closing = CloseInfo(code, reason, asked=True)
        self.set_reading(True)
        loop = asyncio.get_running_loop()
        if self._sending.unsent:
            self._timer = loop.call_later(self._how.close_timeout, self._expire)
        else:
            loop.call_soon(self._finish, self._closing)

    def abort(self) -> None:
        """End it now; see :class:`~core.transport.base.Carrier`."""
        self._on_data = ignore  # also what is kept back for the connecting call
        if not self._ended:
            self._asked = True
            self._drop(CloseInfo(CloseCode.ABNORMAL, asked=True, error="aborted"))

    # ---- receiving --------------------------------------------------------------------------

    def _poll(self) -> None:
        """Make the request that brings frames."""
        how = self._receiving
        if not self._request:
            self._request = self.base.request(
                how.method,
                self.path + how.path,
                body=b"" if how.method == "POST" else None,
                cookies=self.jar.header,
                accept=how.accept,
            )
        call = self._receive = Receive(self._request, self)
        call.pause(not self._reading)
        self.pool.start(self.base.origin, call)

    def cookies(self, values: list[str]) -> None:
        """The server has set cookies."""
        if self.jar.take(values):
            self._request = b""  # is made anew

    def take(self, data: bytes, received_ns: int) -> None:
        """A piece of an answer came."""
        self.received_ns = received_ns
        try:
            for frame in self._splitter.feed(data):
                self._take(frame)
                closed = self._session.closed
                if closed is not None:
                    self._finish(CloseInfo(closed.code, closed.reason, self._asked))
                    return
        except RemoteProtocolError as error:
            self._finish(
                CloseInfo(error.close_code, "", self._asked, f"the peer broke the protocol: {error}")
            )

    def refused(self, status: int, text: str) -> None:
        """An answer that is not 200."""
        self._receive = None
        where = f"{self.base.shown}{self.path}{self._receiving.path}"
        words = f"{where} answered HTTP {status}" + (f": {text}" if text else "")
        self._fail(HandshakeRefused(words, status=status, body=text, tried="begin a SockJS session"))
        self._broken(words)

    def received(self) -> None:
        """An answer has ended: ask for the next one at once."""
        self._receive = None
        if not self._splitter.end():
            self._broken("an answer ended in the middle of a frame")
        elif not self._ended:
            self._poll()

    def lost(self, why: str) -> None:
        """An answer broke off."""
        self._receive = None
        self._broken(f"receiving failed: {why}")

    def _broken(self, error: str) -> None:
        """The session cannot go on; when we are closing it, that is no news."""
        self._finish(self._closing or CloseInfo(CloseCode.ABNORMAL, "", self._asked, error))

    # ---- sending ----------------------------------------------------------------------------

    def taken(self) -> None:
        """The server has taken all that was sent."""
        if self._closing is not None and not self._ended:  # give the server time to end it
            seconds = min(_LINGER, self._how.close_timeout)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(seconds, self._finish, self._closing)

    def not_taken(self, why: str) -> None:
        """The server did not take something, or nobody knows."""
        self._broken(f"Sending error: {why}")

    # ---- the end ----------------------------------------------------------------------------

    def _expire(self) -> None:
        self._finish(
            CloseInfo(
                CloseCode.ABNORMAL,
                "",
                True,
                f"what was sent was not taken within {self._how.close_timeout:g} s",
            )
        )

    def _drop(self, info: CloseInfo) -> None:
        """End it from within a call: nothing more is delivered, and the news comes by itself."""
        self._on_data = ignore
        self._stop()
        asyncio.get_running_loop().call_soon(self._tell, info)

    def _finish(self, info: CloseInfo) -> None:
        """The end."""
        if not self._ended:
            self._stop()
            self._tell(info)

    def _stop(self) -> None:
        """No request is left, and nobody waits."""
        self._ended = True
        if self._receive is not None:
            self._receive.abort()
            self._receive = None
        self._sending.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
