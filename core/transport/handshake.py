"""The opening handshake of a WebSocket client (RFC 6455 §4.1): everything that is needed only
until the connection is open, so that it can be let go of afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, InvalidStatus, InvalidURI
from websockets.extensions import ClientExtensionFactory, Extension
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Response
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from ..errors import HandshakeRefused, UsageError
from ..reasons import reason_of
from ..redaction import without_tokens

#: Longest answer head that is read; more is not a WebSocket server.
_MAX_HEAD = 64 * 1024

#: How much of a refusing answer's body an error shows.
_BODY_SHOWN = 300


def parse_url(url: str) -> WebSocketURI:
    """Parse a ``ws:`` or ``wss:`` URL.

    Raises:
        UsageError: it is not one.
    """
    try:
        return parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise UsageError(
            f"not a WebSocket URL: {without_tokens(url)!r} ({without_tokens(str(error))})",
            hint="write ws://HOST:PORT/PATH or wss://HOST:PORT/PATH",
        ) from error


class Handshake:
    """One opening handshake: bytes out, bytes in, and at the end a result in ``done``.

    ``done`` resolves when the connection is open, or to an error; ``rest`` holds the bytes that
    followed the answer's head.
    """

    def __init__(
        self,
        url: str,
        target: WebSocketURI,
        *,
        headers: Iterable[tuple[str, str]],
        subprotocols: Sequence[str],
        compression: bool,
        done: asyncio.Future[None],
    ) -> None:
        factories: list[ClientExtensionFactory] | None = None
        if compression:
            factories = [ClientPerMessageDeflateFactory()]
        self.done = done
        self.rest = bytearray()
        self._url = without_tokens(url)  # for messages
        self._headers = headers
        self._head: bytearray | None = bytearray()  # None: complete, and judged
        self._protocol = ClientProtocol(
            target,
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            extensions=factories,
        )

    @property
    def opened(self) -> bool:
        """Whether the server's answer was a good one."""
        return self._protocol.state is OPEN

    @property
    def extensions(self) -> list[Extension]:
        """What was negotiated."""
        return self._protocol.extensions

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the server chose, if any."""
        return self._protocol.subprotocol

    def request(self) -> bytes:
        """The request, to be sent first."""
        request = self._protocol.connect()
        for name, value in self._headers:
            request.headers[name] = value
        self._protocol.send_request(request)
        return b"".join(self._protocol.data_to_send())

    def receive(self, data: bytes) -> bool:
        """Take bytes; return True when the connection has just become open."""
        if self._protocol.handshake_exc is not None:
            return False
        if self._head is None:
            return self._pass(data)
        searched = max(0, len(self._head) - 3)
        self._head += data
        end = self._head.find(b"\r\n\r\n", searched)
        if end < 0:
            if len(self._head) > _MAX_HEAD:
                self._fail(HandshakeRefused(f"{self._url} answers with an endless head", status=0))
            return False
        # Only the head goes to the protocol, so that what follows it stays ours to cut.
        head, rest = bytes(self._head[: end + 4]), bytes(self._head[end + 4 :])
        self._head = None
        self._protocol.receive_data(head)
        if self._protocol.state is OPEN:
            self.rest += rest
            if not self.done.done():
                self.done.set_result(None)
            return True
        return self._pass(rest)

    def _pass(self, data: bytes) -> bool:
        """More of the body of an answer that is not 101, or data behind one that is."""
        if self._protocol.state is OPEN:
            self.rest += data
            return False
        if data:
            self._protocol.receive_data(data)
        self._check()
        return False

    def lost(self, error: Exception | None) -> None:
        """The connection ended before it was open."""
        if self._head is None and self._protocol.handshake_exc is None:
            self._protocol.receive_eof()  # the end of a body without a length
            self._check()
        what = f": {reason_of(error)}" if error is not None else f"; {self.describe()}"
        self._fail(
            HandshakeRefused(
                f"{self._url} closed the connection during the handshake{what}",
                status=0,
                tried=f"open a WebSocket to {self._url}",
                hint="the server may be stopping, or the port belongs to something else",
            )
        )

    def describe(self) -> str:
        """What has come back so far, for the message of a timeout."""
        if self._head is None:
            return "the answer's body did not end"
        if not self._head:
            return "nothing came back"
        return f"only this came back: {bytes(self._head[:_BODY_SHOWN])!r}"

    def _check(self) -> None:
        failure = self._protocol.handshake_exc
        if failure is not None:
            self._fail(_refused(self._url, failure, self._protocol.events_received()))

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _refused(url: str, failure: Exception, events: Sequence[object]) -> HandshakeRefused:
    """The error for an answer that is not a good 101."""
    tried = f"open a WebSocket to {url}"
    response = next((event for event in events if isinstance(event, Response)), None)
    if response is None or isinstance(failure, InvalidMessage):
        cause = failure.__cause__ or failure
        return HandshakeRefused(
            f"{url} does not answer in HTTP: {reason_of(cause)}",
            status=0,
            tried=tried,
            hint="check host, port and whether it needs wss:",
        )
    body = bytes(response.body or b"")[:_BODY_SHOWN].decode(errors="replace").strip()
    if isinstance(failure, InvalidStatus):
        said = f"HTTP {response.status_code} {response.reason_phrase}".strip()
        message = f"{url} refused the WebSocket with {said}" + (f": {body}" if body else "")
    else:
        message = f"{url} answered 101, but not as a WebSocket server must: {reason_of(failure)}"
    return HandshakeRefused(
        message, status=response.status_code, body=body, tried=tried, hint=_hint(response.status_code)
    )


def _hint(status: int) -> str:
    if status in (502, 503, 504):
        return "the gateway has no live instance for this route; start one or wait for it to register"
    if status == 401:
        return "give a token: StompClient(…, token=…), or [tokens] in the file of --env"
    if status == 403:
        return "the server wants another Origin or a token, or has no WebSocket at this URL"
    if status == 404:
        return "check the path of the URL"
    return ""
