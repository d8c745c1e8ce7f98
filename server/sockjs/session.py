"""A session of a streaming or polling client: what waits for it, and who is there to take it.

Sans input and output: responses (:mod:`.receiving`) attach, take frames one by one, and detach; the
application sends and closes. Time comes from a scheduler, ``loop.call_later``. Source:
docs/wire/sockjs.md §3, §5, §6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from core.errors import CloseCode
from core.protocol import sockjs

from ..settings.sockjs import SockJsSettings
from .application import Application, Framing, Listener, Message, Request
from .dialect import DIALECTS
from .framing import queued, queued_framing

_OPEN: Final = sockjs.OPEN.encode()
_HEARTBEAT: Final = sockjs.HEARTBEAT.encode()
_GONE: Final = (CloseCode.ABNORMAL, "")


class Timer(Protocol):
    """Something that can be called off, such as ``asyncio.TimerHandle``."""

    def cancel(self) -> None:
        """Do not run it."""
        ...


Later = Callable[[float, Callable[[], None]], Timer]


class Receiver(Protocol):
    """A response that takes a session's frames; attached to one session at a time."""

    @property
    def finishing(self) -> bool:
        """Whether it has taken its last frame and is only being written."""
        ...

    def wake(self) -> None:
        """There is something to take."""
        ...

    def abort(self) -> None:
        """Cut the connection: the client takes nothing any more."""
        ...


class HttpSession:
    """One session; implements ``Connection`` for its application.

    Attributes:
        id: Our own opaque id.
        transport: The transport that began it.
        request: The request that began it.
        ended: Code and reason of its end, None while it lives.
        told: Whether the client was told of the end, or is gone.
        waiting_bytes: What waits for the client.
    """

    __slots__ = (
        "_beat",
        "_beating",
        "_counting",
        "_dialect",
        "_forget",
        "_forgotten",
        "_full",
        "_greeted",
        "_heartbeat_s",
        "_later",
        "_listener",
        "_on_told",
        "_receiver",
        "_settings",
        "_timer",
        "_waiting",
        "_waiting_messages",
        "ended",
        "id",
        "request",
        "told",
        "transport",
        "waiting_bytes",
    )

    def __init__(
        self,
        id: str,
        transport: str,
        request: Request,
        settings: SockJsSettings,
        later: Later,
        forget: Callable[[], None],
        on_told: Callable[[], None],
    ) -> None:
        """Make a session that nobody receives from yet.

        Args:
            id: Our own opaque id.
            transport: The transport that begins it.
            request: The request that begins it.
            settings: The service's.
            later: Runs a callback after some seconds.
            forget: Called once, when the client's name for the session is free again.
            on_told: Called once, when the client knows of the end, or when there is no telling it.
        """
        self.id = id
        self.transport = transport
        self.request = request
        self.ended: tuple[int, str] | None = None
        self.told = False
        self.waiting_bytes = 0
        self._settings = settings
        self._dialect = DIALECTS[settings.dialect]
        self._heartbeat_s = settings.heartbeat_s
        self._later = later
        self._forget = forget
        self._on_told = on_told
        self._waiting: list[bytes] = []
        self._counting = settings.max_waiting_messages > 0
        self._waiting_messages = 0
        self._forgotten = False
        self._full = False
        self._greeted = False
        self._beat = False
        self._receiver: Receiver | None = None
        self._listener: Listener | None = None
        self._beating: Timer | None = None
        self._timer: Timer | None = later(settings.disconnect_s, self.expire)

    def begin(self, application: Application) -> None:
        """Tell the application; it may send and close at once."""
        listener = application(self)
        if self.ended is not None:
            listener.closed(*self.ended)
        else:
            self._listener = listener

    # the application's side (Connection) ----------------------------------------------------

    @property
    def framing(self) -> Framing:
        """Payloads to waiting bytes."""
        return queued_framing

    def send(self, message: Message) -> None:
        """Queue a message."""
        self.send_framed(queued(message))

    def send_framed(self, data: bytes) -> None:
        """Queue joined results of :attr:`framing`."""
        if self.ended is not None:
            return
        self._waiting.append(data)
        self.waiting_bytes += len(data)
        if self._counting:
            self._waiting_messages += data.count(sockjs.SEPARATOR)
        if (self._counting or self.waiting_bytes > self._settings.high_water) and not self._has_room():
            return
        if self._receiver is not None:
            self._receiver.wake()

    def close(self, code: int = sockjs.GO_AWAY[0], reason: str = sockjs.GO_AWAY[1]) -> None:
        """End the session; the client is told behind what waits for it."""
        if self.ended is not None:
            return
        self._end(code, reason)
        if self._receiver is not None:
            self._receiver.wake()
            self._stop_beating()
            # It has something to write now; a client that takes nothing may not hold us up.
            self._beating = self._later(self._settings.stall_s, self._cut)

    def stop_heartbeats(self) -> None:
        """The application beats itself."""
        self._heartbeat_s = 0.0
        self._beat = False
        if self.ended is None:
            self._stop_beating()

    @property
    def attached(self) -> bool:
        """Whether a response is there to take frames."""
        return self._receiver is not None

    # the client's side ----------------------------------------------------------------------

    def receive(self, messages: list[str]) -> None:
        """The client has sent messages; ignored once the session has ended."""
        for message in messages:
            if self._listener is None:
                return
            self._listener.received(message)

    def attach(self, receiver: Receiver) -> bool:
        """A response is there to take frames; False if another one is (close code 2010)."""
        if self._receiver is not None and not self._receiver.finishing:
            return False
        self._stop_waiting()
        self._stop_beating()
        self._receiver = receiver
        if self.ended is None:
            self._beat = False
            self._schedule_beat()
        return True

    def detach(self, receiver: Receiver) -> None:
        """A response has ended as it should."""
        if self._receiver is receiver:
            self._receiver = None
            self._stop_beating()
            if not self._forgotten:
                self._timer = self._later(self._settings.disconnect_s, self.expire)

    def interrupt(self, receiver: Receiver) -> None:
        """A response's client went away: what it was sent may be lost, so the session ends.

        See docs/wire/sockjs.md §5.
        """
        if self._receiver is not receiver:
            return
        if self.ended is None:
            self._end(*sockjs.INTERRUPTED, heard=_GONE)
        self._drop()
        self._note_told()
        self.detach(receiver)

    def take(self) -> bytes | None:
        """The next frame for the client, or None if there is none for now.

        ``o`` comes first, then what waits as one array, then the close frame, as often as it is asked
        for; a heart-beat when it is due.
        """
        if not self._greeted:
            self._greeted = True
            return _OPEN
        if self._waiting:
            return self._take_messages()
        if self.ended is not None:
            self._note_told()
            end = sockjs.GO_AWAY if self._dialect.go_away else self.ended
            return sockjs.close_frame(*end).encode()
        if self._beat:
            self._beat = False
            return _HEARTBEAT
        return None

    def _take_messages(self) -> bytes:
        streaming = self.transport not in ("xhr", "jsonp")
        if streaming and self._dialect.message_per_frame:
            lines = b"".join(self._waiting)
            end = lines.index(sockjs.SEPARATOR) + 1
            lines, rest = lines[:end], lines[end:]
            self._waiting[:] = [rest] if rest else []
            self._waiting_messages -= 1
        else:
            lines = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
            self._waiting.clear()
            self._waiting_messages = 0
        self.waiting_bytes -= len(lines)
        if self._dialect.beat_after_silence and self.ended is None:
            self._stop_beating()
            self._schedule_beat()
        if self._full and self.waiting_bytes <= self._settings.high_water // 2:
            self._full = False
            if self._listener is not None:
                self._listener.ready()
        return sockjs.array_frame(lines)

    # limits, timers, the end ------------------------------------------------------------------

    def _has_room(self) -> bool:
        """Whether what waits is within the limits, having told the application to hold back."""
        settings = self._settings
        too_many = self._counting and self._waiting_messages > settings.max_waiting_messages
        if too_many or self.waiting_bytes > settings.max_waiting:
            self._drop()
            self.close(*self._dialect.overflow)
            return False
        if self.waiting_bytes > settings.high_water and not self._full and self._listener is not None:
            self._full = True
            self._listener.full()
        return True

    def _end(self, code: int, reason: str, heard: tuple[int, str] | None = None) -> None:
        self.ended = (code, reason)
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.closed(*(heard or self.ended))

    def expire(self) -> None:
        """Nobody has received for the whole delay: the client's name for the session is free again."""
        if self._forgotten:
            return
        self._forgotten = True
        self._stop_waiting()
        if self.ended is None:
            self._end(*_GONE)
        self._drop()
        self._note_told()
        self._forget()

    def abandon(self) -> None:
        """Stop all timers and tell nobody: the server has died."""
        self._forgotten = True
        self._stop_waiting()
        self._stop_beating()
        self._listener = None
        self._drop()

    def _schedule_beat(self) -> None:
        if self._heartbeat_s:
            self._beating = self._later(self._heartbeat_s, self._on_beat)

    def _on_beat(self) -> None:
        receiver, self._beating = self._receiver, None
        if receiver is None:
            return
        if self._beat:  # the last one is still here: the client has taken nothing since
            receiver.abort()
            return
        self._beat = True
        self._schedule_beat()
        receiver.wake()

    def _stop_beating(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None

    def _stop_waiting(self) -> None:
        # Forgotten, also when it has fired: it refers to us, and whoever comes and goes by the thousand
        # is to be freed at once and not when the collector comes.
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _cut(self) -> None:
        self._beating = None
        if self._receiver is not None:
            self._receiver.abort()

    def _drop(self) -> None:
        self._waiting.clear()
        self.waiting_bytes = self._waiting_messages = 0

    def _note_told(self) -> None:
        if not self.told:
            self.told = True
            self._on_told()
