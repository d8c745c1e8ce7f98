"""One TCP connection to a STOMP broker: bytes, heart-beats, joined writes. No reconnection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from core.errors import HeartbeatLost
from core.protocol import BROKER_LIMITS, ClientEvent, ClientSession
from core.reasons import reason_of

from .delivery import Delivery, pass_messages


class Owed(Protocol):
    """What the broker has to answer: whether it does, and how many answers came."""

    count: int

    @property
    def waiting(self) -> bool:
        """Whether an answer is missing."""
        ...


class StompLink(asyncio.Protocol):
    """A connection from TCP connect to its end.

    Args:
        on_message: Called with subscription id and message for messages that were passed on raw.
        on_events: Called with everything else that the broker sent.
        on_end: Called once with the reason when the connection has ended.
    """

    def __init__(
        self,
        on_message: Callable[[str, Delivery], None],
        on_events: Callable[[list[ClientEvent]], None],
        on_end: Callable[[str], None],
    ) -> None:
        self.session = ClientSession(limits=BROKER_LIMITS, forgiving=True)
        #: Bytes that wait because the broker does not read.
        self.backlog = 0
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_events = on_events
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._pending: list[bytes] = []
        self._scheduled = False
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._between = True  # nothing of a frame waits for its rest
        self._why = ""

    @property
    def ended_by_us(self) -> bool:
        """Whether it was :meth:`close` or :meth:`abort`."""
        return bool(self._why)

    def write(self, data: bytes) -> None:
        """Queue bytes; what one turn of the loop brings is one write."""
        self._pending.append(data)
        if self._paused:
            self.backlog += len(data)
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def beat(self) -> None:
        """Start the heart-beats; call it after CONNECTED."""
        deadline = self.session.next_deadline()
        if deadline is not None and self._transport is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def soon(self, call: Callable[..., None], *arguments: object) -> None:
        """Call back from the loop, unless the connection has ended by then."""
        self._loop.call_soon(lambda: call(*arguments) if self._transport is not None else None)

    def watch(self, owed: Owed, patience_s: float) -> None:
        """Cut the connection if the broker owes answers for so long and gives none; after CONNECTED."""

        def look(count: int, waited: bool) -> None:
            if waited and owed.waiting and owed.count == count:
                self.abort(f"the broker answered nothing for {patience_s:g} s")
            else:
                again(owed.count, owed.waiting)

        def again(count: int, waited: bool) -> None:
            self._watch = self._loop.call_later(patience_s, look, count, waited)

        again(owed.count, False)

    def close(self, why: str) -> None:
        """Flush and close."""
        self._why = self._why or why
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self, why: str) -> None:
        """Cut the connection."""
        self._why = self._why or why
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is up."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes from the broker."""
        if self._between:
            done = pass_messages(data, self._on_message)
            if done:
                self.session.beats.last_received = self._loop.time()
                if done == len(data):
                    return
                data = data[done:]
        events = self.session.receive(data, self._loop.time())
        self._between = self.session.between_frames
        if events:
            self._on_events(events)

    def pause_writing(self) -> None:
        """The broker does not read."""
        self._paused = True

    def resume_writing(self) -> None:
        """The broker reads again."""
        self._paused = False
        self.backlog = 0
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP has ended."""
        for timer in (self._timer, self._watch):
            if timer is not None:
                timer.cancel()
        self._transport = None
        self._pending.clear()
        words = reason_of(exc) if exc is not None else "the broker closed the connection"
        self._on_end(self._why or words)

    # ----------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._scheduled = False
        pending = self._pending
        if self._paused or not pending or self._transport is None:
            return
        self._transport.write(pending[0] if len(pending) == 1 else b"".join(pending))
        pending.clear()
        self.session.sent(self._loop.time())

    def _tick(self) -> None:
        self._timer = None
        try:
            beat = self.session.tick(self._loop.time())
        except HeartbeatLost as error:
            self.abort(str(error))
            return
        if beat:
            self.write(beat)
        self.beat()
