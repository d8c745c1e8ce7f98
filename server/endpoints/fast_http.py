"""uvicorn's HTTP protocol with a short way for pushes.

A push is a small request and a smaller answer; a task, an event and a dozen ASGI messages cost
several times what the push itself does. So requests to the push API are answered from the parser's
callbacks, several of one read in one write; everything else takes uvicorn's way.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

from ..sockets.strict_http import StrictHttpProtocol
from .push_api import LARGEST_BODY, Answer, PushApi, too_large

_LONGEST_KNOWN: Final = 2048
_PUSH: Final = b"POST /push "
_CONFIRM: Final = b'"confirm"'
#: Answers to requests whose head was in order.
_UNDERSTOOD: Final = (202, 400, 503)
_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: ".encode()
    for status in HTTPStatus
}


class FastHttpProtocol(StrictHttpProtocol):
    """One connection.

    A request is *short* if it is for the push API and nothing before it is unanswered; so answers
    come in order. A push that waits for the broker takes the long way.
    """

    def __init__(self, *args: Any, push_api: PushApi, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._push_api = push_api
        self._http_parser: Any = self.parser  # uvicorn's attribute is None after the connection's end
        self._short = False
        self._between = True  # nothing of a request waits for its rest
        self._path = b""
        self._body: list[bytes] = []
        self._size = -1  # of the body of a short request; -1: do not remember its head
        self._answers: list[bytes] = []
        self._scheduled = False
        self._date_of: object = None
        self._date_line = b""
        self._answered_at = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._held = False  # nothing is read, because the client does not read our answers

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        candidate = self._between and data.startswith(_PUSH) and not self._busy
        if candidate:
            done = self._take_known(data)
            if done == len(data):
                return
            data = data[done:]
        super().data_received(data)
        if candidate and self._between and not self.transport.is_closing():
            self._learn(data)

    def _take_known(self, data: bytes) -> int:
        """Answer the pushes at the beginning of ``data`` whose heads were parsed before.

        A client's heads differ in the length of the body only, so nearly all are known. Returns
        where the first one begins that is not, or that is not whole.
        """
        heads, position = self._push_api.known_heads, 0
        while (end := data.find(b"\r\n\r\n", position) + 4) > 3:
            length = heads.get(data[position:end])
            if length is None or end + length > len(data):
                break
            body = data[end : end + length]
            if _CONFIRM in body:
                break
            self._answer(self._push_api.push(body))
            position = end + length
        if position:
            self.end_head()
            self.end_message()
        return position

    def _learn(self, data: bytes) -> None:
        """Remember the head of a push that was the only request in ``data`` and was not refused."""
        end = data.find(b"\r\n\r\n") + 4
        if self._size >= 0 and self._size == len(data) - end and end <= _LONGEST_KNOWN:
            self._push_api.remember(data[:end], self._size)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._http_parser = None  # it refers to us
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """The client has read its answers: what it asked for meanwhile is read."""
        super().resume_writing()
        if self._held:
            self._held = False
            if not self._busy:  # else reading goes on with the end of that answer
                self.flow.resume_reading()

    def renew_parser(self) -> None:
        """Begin again to parse."""
        super().renew_parser()
        self._http_parser = self.parser

    # parser callbacks -----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins; what uvicorn prepares here is prepared later, if at all."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._between = False
        self.begin_head()

    def on_headers_complete(self) -> None:
        """Decide which way the request takes."""
        self.end_head()
        path = self.url.partition(b"?")[0]
        self._short = (
            path in PushApi.paths
            and not self._busy
            and not self.expect_100_continue
            and not self._http_parser.should_upgrade()
        )
        if self._short:
            self.check_host()
            self._path = path
            self._body.clear()
            self._size = 0
        else:
            self._begin_long_way()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if not self._short:
            super().on_body(body)
            return
        if self._over:
            return
        self.count_body(body)
        self._size += len(body)
        if self._size <= LARGEST_BODY:
            self._body.append(body)
        else:
            self._over = True
            self._answer(too_large(), keep_alive=False)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._over:
            return
        self._between = True
        self.end_message()
        if not self._short:
            super().on_message_complete()
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if _CONFIRM in body:
            self._begin_long_way()
            super().on_body(body)
            super().on_message_complete()
            return
        query = self.url.partition(b"?")[2]
        method = self._http_parser.get_method()
        answer = self._push_api.answer(method, self._path, query, self.headers, body, self._answer)
        keep_alive = bool(self._http_parser.should_keep_alive())
        if not keep_alive or answer is None or answer.status not in _UNDERSTOOD:
            self._size = -1
        if answer is not None:
            self._answer(answer, keep_alive=keep_alive)

    def _begin_long_way(self) -> None:
        self._size = -1
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)  # the list that the scope has
        super().on_headers_complete()

    @property
    def _date(self) -> bytes:
        """The Date header as uvicorn renews it once a second."""
        headers = self.server_state.default_headers
        if headers is not self._date_of:
            self._date_of = headers
            self._date_line = b"".join(b"%b: %b\r\n" % header for header in headers)
        return self._date_line

    # answers --------------------------------------------------------------------------------

    def end_with(self, status: int, message: str, **details: str) -> None:
        """Give an answer of our own behind those that wait, and end the connection."""
        if self._answers:
            self._flush()
        super().end_with(status, message, **details)

    def _answer(self, answer: Answer, *, keep_alive: bool = True) -> None:
        headers = self._date if keep_alive else self._date + b"connection: close\r\n"
        for name, value in answer.headers:
            headers += b"%b: %b\r\n" % (name, value)
        body = answer.body
        if body:
            headers += b"content-type: application/json\r\n"
        self._answers.append(b"%b%d\r\n%b\r\n%b" % (_STATUS_LINES[answer.status], len(body), headers, body))
        self.server_state.total_requests += 1
        if not self._scheduled:
            # At the end of this turn, behind the write to the broker: the push goes first.
            self._scheduled = True
            self.loop.call_soon(self._flush)
        if not keep_alive:
            self.loop.call_soon(self.transport.close)

    def _flush(self) -> None:
        self._scheduled = False
        answers, self._answers = self._answers, []
        if self.transport.is_closing():
            return
        self.transport.write(b"".join(answers))
        if self.flow.write_paused:  # else answers pile up for a client that only asks
            self._held = True
            self.flow.pause_reading()
        self._answered_at = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._check_idle)

    def _check_idle(self) -> None:
        """Close a connection that has asked for nothing for a while; one timer, not one per answer."""
        rest = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if rest > 0 or self._busy:
            self._idle_timer = self.loop.call_later(max(rest, 1.0), self._check_idle)
        elif not self.transport.is_closing():
            self.transport.close()
