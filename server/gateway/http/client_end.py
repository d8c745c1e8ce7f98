"""One request's hold on its client's connection, beyond what ASGI offers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ..heads import Header, response_head
from ..tcp import reset
from ..tunnels.splice import close_soon

#: Where an application finds its :class:`ClientEnd`, in ``scope["extensions"]``.
CLIENT_END = "pushscope.gateway.client"
_CLOSE: Header = (b"connection", b"close")


class ClientEnd:
    """For who answers one request.

    Args:
        transport: The client's connection.
        flow: What uvicorn knows of its write buffer.
        cycle: uvicorn's record of this request and its answer.
        watch: Call this with what is to be called when the client leaves; None: with nothing more.
    """

    __slots__ = ("_cycle", "_flow", "_transport", "watch")

    def __init__(
        self,
        transport: asyncio.Transport,
        flow: FlowControl,
        cycle: RequestResponseCycle,
        watch: Callable[[Callable[[], None] | None], None],
    ) -> None:
        self._transport = transport
        self._flow = flow
        self._cycle: Any = cycle
        self.watch = watch

    @property
    def gone(self) -> bool:
        """Whether nobody is there to be answered."""
        return self._cycle.disconnected

    def arrived(self) -> bool:
        """Whether something of the request's body is there (or its client is gone)."""
        return self._cycle.message_event.is_set()

    def answer(self, status: int, headers: list[Header], body: bytes) -> bool:
        """Write a whole answer, which says its length, at once; False: not possible now.

        In place of uvicorn's way, which takes two writes and looks at every header twice.
        """
        cycle = self._cycle
        if cycle.disconnected or cycle.response_started or self._flow.write_paused:
            return False
        if not cycle.keep_alive:
            headers = [*headers, _CLOSE]
        head = response_head(status, b"", headers)
        lines = len(headers) + 2
        if head.count(b"\n") != lines or head.count(b"\r") != lines:
            return False  # something in it is no header: uvicorn says so
        self._transport.write(head + body)
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()
        if not cycle.keep_alive:
            self._transport.close()
        cycle.on_response()
        return True

    def left(self) -> None:
        """The client has left; uvicorn knows that of the last request of a connection only."""
        self._cycle.disconnected = True

    def cut(self) -> None:
        """End the connection in the middle of an answer, so that it is seen to be incomplete."""
        self._cycle.disconnected = True  # else uvicorn complains of an answer that nobody finished
        if self._cycle.scope["http_version"] == "1.0":
            reset(self._transport)  # an orderly end would be the end of the body
        else:
            close_soon(self._transport)
