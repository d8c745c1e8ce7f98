"""Upstream's answer to an upgrade: a WebSocket, something else to pass on, or nothing usable."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

from ...sockets.http import MAX_HEAD
from ..heads import UpgradeAnswer, parse_answer

_PROTOCOL = b"HTTP/1."
_END_OF_HEAD = b"\r\n\r\n"


class AnswerTaker(Protocol):
    """Who asked for the upgrade. Told either ``accepted``; or ``relay_head``, ``relay_body`` as
    often as needed and ``over``; or ``no_answer``."""

    def accepted(self, data: bytes) -> None:
        """101 with the right key: ``data`` is the head and what came with it, for the client."""
        ...

    def relay_head(self, answer: UpgradeAnswer) -> None:
        """Another status."""
        ...

    def relay_body(self, data: bytes) -> None:
        """A piece of that answer's body, without its transfer coding."""
        ...

    def over(self) -> None:
        """That answer is complete, or broken off."""
        ...

    def no_answer(self, message: str) -> None:
        """Nothing that can be passed on; ``message`` continues "the instance …"."""
        ...


class UpstreamEnd(asyncio.Protocol):
    """Upstream's end until the answer is known: the protocol of the dialled connection."""

    def __init__(self, upgrade: AnswerTaker, accept: bytes) -> None:
        self.transport: asyncio.Transport | None = None
        self._upgrade = upgrade
        self._accept = accept
        self._buffer = b""
        self._skipped = 0
        self._parser: httptools.HttpResponseParser | None = None
        self._done = False

    @property
    def begun(self) -> bool:
        """Whether anything has been answered."""
        return bool(self._buffer) or self._parser is not None or self._done

    def abandon(self) -> None:
        """Nobody wants this answer any more."""
        self._done = True
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Dialled."""
        # Not checked: uvloop's transports are none of asyncio's classes.
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Upstream is gone before there was a tunnel."""
        if self._done:
            return
        self._done = True
        if self._parser is not None:
            self._upgrade.over()
        elif self.transport is not None:
            self._upgrade.no_answer("closed the connection without an answer to the upgrade")

    def data_received(self, data: bytes) -> None:
        """Collect the head, then decide."""
        if self._done:
            return
        if self._parser is not None:
            self._feed(data)
            return
        self._buffer += data
        while not self._done and self._parser is None:
            end = self._buffer.find(_END_OF_HEAD)
            if end < 0 or end > MAX_HEAD:
                self._check_begun()
                return
            self._decide(end)

    def _check_begun(self) -> None:
        """Give a head up that is not whole, but will not be one either."""
        begun = self._buffer
        if len(begun) > MAX_HEAD:
            self._give_up(f"answered with a head of more than {MAX_HEAD} bytes")
        elif not begun.startswith(_PROTOCOL[: len(begun)]):
            self._give_up(f"did not answer with HTTP: {begun[:80]!r}")
        elif b"\n\n" in begun:
            self._give_up("did not answer with HTTP: lines end with CR LF")

    def _decide(self, end: int) -> None:
        try:
            answer = parse_answer(self._buffer[:end])
        except ValueError as error:
            self._give_up(f"did not answer with HTTP: {error}")
            return
        if answer.status == 101:
            if not answer.is_websocket(self._accept):
                self._give_up("answered 101 without proof that it speaks WebSocket")
                return
            self._done = True
            self._upgrade.accepted(self._buffer)
        elif answer.status < 200:
            # 100 and 103 announce nothing here, and there are not many of them.
            self._skipped += end
            if self._skipped > MAX_HEAD:
                self._give_up(f"answered with a head of more than {MAX_HEAD} bytes")
            self._buffer = self._buffer[end + len(_END_OF_HEAD) :]
        else:
            self._parser = httptools.HttpResponseParser(self)
            self._upgrade.relay_head(answer)
            self._feed(self._buffer)

    def _feed(self, data: bytes) -> None:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._finish()

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        if not self._done:
            self._upgrade.relay_body(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._finish()

    def _finish(self) -> None:
        if not self._done:
            self._done = True
            self._upgrade.over()

    def _give_up(self, message: str) -> None:
        self._done = True
        self._upgrade.no_answer(message)
