"""The sessions of streaming and polling clients, by the name that each client chose for its own."""

from __future__ import annotations

import asyncio
import logging
import secrets

from core.errors import CloseCode

from ..settings.sockjs import SockJsSettings
from .application import Application, Request
from .session import HttpSession

logger = logging.getLogger("pushscope.sockjs")


class TooManySessions(Exception):
    """No session can begin now; its text says why."""


class SessionTable:
    """Finds, creates and ends the sessions of one service."""

    def __init__(self, settings: SockJsSettings, application: Application) -> None:
        self._settings = settings
        self._application = application
        self._sessions: dict[str, HttpSession] = {}
        self._budget = settings.sessions_per_s
        self._counted_at = 0.0
        self._untold = 0
        self._all_told = asyncio.Event()
        self._all_told.set()
        #: Whether the service stops: no session begins any more.
        self.stopping = False

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, name: str) -> HttpSession | None:
        """The session that a client calls so."""
        return self._sessions.get(name)

    def create(self, name: str, transport: str, request: Request) -> HttpSession:
        """Begin a session under a free name.

        Raises:
            TooManySessions: The service stops, or a limit is reached.
        """
        self._check_limits()
        session = HttpSession(
            secrets.token_hex(8),
            transport,
            request,
            self._settings,
            asyncio.get_running_loop().call_later,
            lambda: self._forget(name),
            self._on_told,
        )
        self._sessions[name] = session
        self._untold += 1
        self._all_told.clear()
        session.begin(self._application)
        return session

    def close_all(self, code: int = CloseCode.GOING_AWAY, reason: str = "the server stops") -> None:
        """End all sessions and begin none any more; clients are told as they come."""
        self.stopping = True
        for session in list(self._sessions.values()):
            session.close(code, reason)

    async def drain(self, within: float) -> None:
        """Return when all clients have taken what waited and know of the end, or after ``within`` seconds.

        A polling client between two polls has to come twice: for its messages and for the close.
        """
        try:
            async with asyncio.timeout(within):
                await self._all_told.wait()
        except TimeoutError:
            logger.info("%d SockJS clients did not come for the close frame", self._untold)

    def forget_all(self) -> None:
        """Drop every session at once, its timers too; for a service that has ended."""
        for session in list(self._sessions.values()):
            session.expire()

    def abandon(self) -> None:
        """Forget all sessions without a word to anybody."""
        self.stopping = True
        for session in self._sessions.values():
            session.abandon()
        self._sessions.clear()

    def _check_limits(self) -> None:
        settings = self._settings
        if self.stopping:
            raise TooManySessions("the server stops")
        if len(self._sessions) >= settings.max_sessions:
            raise TooManySessions(f"there are {settings.max_sessions} sessions already")
        now = asyncio.get_running_loop().time()
        earned = (now - self._counted_at) * settings.sessions_per_s
        self._budget = min(settings.sessions_per_s, self._budget + earned)
        self._counted_at = now
        if self._budget < 1:
            raise TooManySessions(f"more than {settings.sessions_per_s:g} sessions in a second")
        self._budget -= 1

    def _forget(self, name: str) -> None:
        del self._sessions[name]

    def _on_told(self) -> None:
        self._untold -= 1
        if not self._untold:
            self._all_told.set()
