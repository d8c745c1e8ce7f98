"""One SockJS session with a clock of the test, and the small real things around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.sockjs import SockJsSettings
from server.sockjs.application import Connection, Message, Request
from server.sockjs.session import HttpSession

REQUEST = Request("/000/s/xhr", b"", (), "127.0.0.1", "http")


class Clock:
    """``call_later`` with a time that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[Timer] = []

    def later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self.now + delay, callback)
        self._timers.append(timer)
        return timer

    def move(self, seconds: float) -> None:
        """Let time pass; timers run in order."""
        end = self.now + seconds
        while due := [timer for timer in self._timers if not timer.done and timer.when <= end]:
            timer = min(due, key=lambda each: each.when)
            timer.done = True
            self.now = timer.when
            timer.callback()
        self.now = end


class Timer:
    """A timer of the test's clock."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.done = False

    def cancel(self) -> None:
        self.done = True


class Taker:
    """A response that counts how often it was woken."""

    def __init__(self) -> None:
        self.finishing = False
        self.woken = 0
        self.aborted = False

    def wake(self) -> None:
        self.woken += 1

    def abort(self) -> None:
        self.aborted = True


class Heard:
    """A listener that remembers its end."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.ends: list[tuple[int, str]] = []
        self.fulls: list[bool] = []

    def __call__(self, connection: Connection) -> Heard:
        self.connection = connection
        return self

    def received(self, message: Message) -> None:
        pass

    def full(self) -> None:
        self.fulls.append(True)

    def ready(self) -> None:
        self.fulls.append(False)

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))


class Bench:
    """One session with everything around it."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.forgotten = False
        self.told = 0
        self.heard = Heard()
        self.session = HttpSession(
            "id",
            "xhr_streaming",
            REQUEST,
            SockJsSettings(**settings),
            self.clock.later,
            self._forget,
            self._tell,
        )
        self.session.begin(self.heard)

    def _forget(self) -> None:
        self.forgotten = True

    def _tell(self) -> None:
        self.told += 1

    def attach(self) -> Taker:
        taker = Taker()
        assert self.session.attach(taker)
        return taker
