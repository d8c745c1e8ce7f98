"""HTTP requests of a service: what each is answered, in which order it is checked.

See docs/wire/sockjs.md §1 to §7.
"""

from __future__ import annotations

from typing import Final

from ..access.admission import Admission, Denied, Principal
from ..access.origins import Origins
from ..settings.sockjs import SockJsSettings
from . import cors
from .answers import (
    NOT_FOUND,
    PLAIN,
    Answer,
    BodyTooLarge,
    ClientGone,
    Receive,
    Scope,
    Send,
    cached_for_a_year,
    failed,
    not_allowed,
    read_body,
    send_answer,
)
from .application import Request
from .dialect import DIALECTS, Dialect, Header
from .eventsource import eventsource
from .htmlfile import htmlfile
from .jsonp import JSONP
from .pages import GREETING, IframePage, info
from .paths import METHODS, Kind, Target
from .receiving import Receiving, Transport, callback_of
from .sending import JSONP_SENT, XHR_SENT, messages_of
from .session import HttpSession
from .table import SessionTable, TooManySessions
from .xhr import XHR, XHR_STREAMING

_WITHOUT_SESSION: Final = ("greeting", "iframe", "info", "raw", "websocket")
#: What pages of other origins may read, and so carries CORS headers.
_READABLE: Final = ("info", "xhr", "xhr_streaming", "xhr_send", "eventsource")
_VERSIONS: Final = (b"13", b"8")
_UNBUFFERED: Final[Header] = (b"x-accel-buffering", b"no")  # nginx holds responses back otherwise
_CLOSE: Final[Header] = (b"connection", b"close")
_TOO_LARGE: Final = failed(413, b"the body is too large\n", _CLOSE)


def request_of(scope: Scope, principal: Principal | None) -> Request:
    """What the application may know of a request of this principal."""
    client = scope.get("client")
    return Request(
        scope["path"],
        scope.get("query_string", b""),
        scope["headers"],
        client[0] if client else "",
        scope.get("scheme", "http"),
        principal,
    )


def refused(denied: Denied) -> Answer:
    """The answer to somebody who may not connect."""
    return failed(denied.status, f"{denied.sentence}\n".encode(), *denied.headers)


class Exchanges:
    """Answers the HTTP requests of one service."""

    def __init__(
        self,
        settings: SockJsSettings,
        origins: Origins,
        table: SessionTable,
        admission: Admission,
    ) -> None:
        self._settings = settings
        self._dialect: Dialect = DIALECTS[settings.dialect]
        self._origins = origins
        self._table = table
        self._admission = admission
        self._iframe = IframePage(settings, self._dialect)
        self._receiving = Receiving(settings.response_limit)
        of_dialect = (eventsource(self._dialect), htmlfile(self._dialect))
        self._transports = {each.name: each for each in (XHR, XHR_STREAMING, JSONP, *of_dialect)}

    async def serve(self, target: Target | None, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        answer = self._answer(target, scope)
        if answer is not None:
            await send_answer(send, answer)
        elif target is not None and target.kind in self._transports:
            await self._receive(target, self._transports[target.kind], scope, receive, send)
        elif target is not None:
            await self._send(target, scope, receive, send)

    # what needs no session --------------------------------------------------------------------

    def _answer(self, target: Target | None, scope: Scope) -> Answer | None:
        """The answer of a page, or why a request is refused; None for one that concerns a session."""
        if target is None or (target.kind.startswith("jsonp") and not self._settings.jsonp):
            return NOT_FOUND
        kind, method = target.kind, scope["method"]
        if kind in ("raw", "websocket"):
            return self._no_websocket(kind, scope)
        if method not in METHODS[kind]:
            return not_allowed(METHODS[kind])
        if kind == "greeting":
            handshake = cors.find(scope, b"upgrade").lower() == b"websocket"
            return self._no_websocket("raw", scope) if handshake else GREETING
        if kind == "iframe":
            return self._iframe.answer(scope, self._origins) or NOT_FOUND
        if (foreign := cors.refusal(scope, self._origins)) is not None:
            return foreign
        if method == "OPTIONS":
            answer = cors.preflight(kind)
            return answer._replace(headers=(*answer.headers, *self._shared(kind, scope)))
        if kind == "info":
            answer = info(self._settings, self._dialect)
            return answer._replace(headers=(*answer.headers, *self._headers(kind, scope)))
        return None

    def _no_websocket(self, kind: Kind, scope: Scope) -> Answer:
        """A request on a WebSocket's path that is no handshake (docs/wire/sockjs.md §5)."""
        if not self._settings.websocket:
            return NOT_FOUND._replace(headers=(PLAIN, *cached_for_a_year()))
        if scope["method"] not in METHODS[kind]:
            return not_allowed(METHODS[kind])
        version = cors.find(scope, b"sec-websocket-version")
        if version and version not in _VERSIONS and kind == "raw":
            status = self._dialect.version_refused
            sentence = b"Only supported WebSocket protocol is RFC 6455."
            return failed(status, sentence, (b"sec-websocket-version", b"13"))
        return failed(400, self._dialect.not_websocket)

    def _headers(self, kind: Kind, scope: Scope) -> tuple[Header, ...]:
        return ((b"cache-control", self._dialect.no_cache), *self._shared(kind, scope))

    def _shared(self, kind: Kind, scope: Scope) -> tuple[Header, ...]:
        """CORS and cookie, which preflights have too."""
        headers: tuple[Header, ...] = ()
        if self._settings.cors and kind in _READABLE:
            headers = cors.cors_headers(scope, self._dialect)
        if self._settings.cookie_needed and kind not in _WITHOUT_SESSION:
            headers = (*headers, cors.session_cookie(scope))
        return headers

    # what concerns a session --------------------------------------------------------------------

    async def _receive(
        self, target: Target, transport: Transport, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers = self._headers(target.kind, scope)
        callback: str | Answer = ""
        if transport.longest_callback:
            query = scope.get("query_string", b"")
            callback = callback_of(query, transport.longest_callback, self._dialect)
        if isinstance(callback, Answer):
            await send_answer(send, callback, *headers)
            return
        session = await self._session(target, transport, scope)
        if isinstance(session, Answer):
            await send_answer(send, session, *headers)
            return
        streamed = (*headers, _UNBUFFERED) if transport.streaming else headers
        await self._receiving.serve(session, transport, callback, streamed, scope, receive, send)

    async def _send(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        headers = self._headers(target.kind, scope)
        try:
            body = await read_body(receive, self._settings.max_body)
        except BodyTooLarge:
            await send_answer(send, _TOO_LARGE, *headers)
            return
        except ClientGone:
            return
        form = target.kind == "jsonp_send"
        content_type = cors.find(scope, b"content-type").decode("latin-1")
        messages = messages_of(body, content_type, form=form)
        if isinstance(messages, Answer):
            await send_answer(send, messages, *headers)
            return
        session = await self._session_of(target, scope)
        if isinstance(session, Answer):
            await send_answer(send, session, *headers)
            return
        session.receive(messages)
        await send_answer(send, JSONP_SENT if form else XHR_SENT, *headers)

    async def _session(self, target: Target, transport: Transport, scope: Scope) -> HttpSession | Answer:
        """The session that a receiving request is for, a new one if need be, or why it gets none."""
        principal: Principal | None = None
        if self._table.find(target.session) is None:
            try:
                principal = await self._admission.admit(scope)
            except Denied as denied:
                return refused(denied)
        # Somebody else may have begun it while we asked.
        if (session := self._table.find(target.session)) is not None:
            foreign = self._settings.bind_sessions and session.transport != transport.name
            return NOT_FOUND if foreign else await self._session_of(target, scope)
        try:
            return self._table.create(target.session, transport.name, request_of(scope, principal))
        except TooManySessions as error:
            return failed(503, f"{error}\n".encode(), (b"retry-after", b"1"))

    async def _session_of(self, target: Target, scope: Scope) -> HttpSession | Answer:
        """The session that a request names, if it may come from the session's owner.

        See docs/wire/sockjs.md §9.
        """
        session = self._table.find(target.session)
        if session is None:
            return NOT_FOUND
        owner, bound = session.request, self._settings.bind_sessions
        if bound and not owner.user and request_of(scope, None).client != owner.client:
            return NOT_FOUND
        try:
            return session if await self._admission.recognises(owner, scope, bound=bound) else NOT_FOUND
        except Denied as denied:
            return refused(denied)
