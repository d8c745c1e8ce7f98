"""The seam between a client of discovery and how it reaches it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from .registry import Registered


class LineDown(ConnectionError):
    """The line is down, and why.

    ``status`` is that of an HTTP answer that shows that something else serves there.
    """

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Heard(msgspec.Struct, frozen=True):
    """The registry as a line has heard it.

    Attributes:
        epoch: Names a run of the server: after a restart its registry says nothing about the dead.
        age_s: How long that run has lasted.
        instances: Everybody.
        settled: Whether we are in it, or it is known that this takes its time.
    """

    epoch: str
    age_s: float
    instances: tuple[Registered, ...]
    settled: bool


class Line(Protocol):
    """One way to discovery; used from one event loop.

    It holds what we say of ourselves and says it anew whenever that is needed. What it hears goes
    to the ``hear`` that it was made with.
    """

    @property
    def connected(self) -> bool:
        """Whether discovery answers now."""
        ...

    @property
    def grace_s(self) -> float:
        """How long those are kept whom a restarted server does not know yet."""
        ...

    async def run(self) -> None:
        """Stand until it ends; to be called again then.

        Raises:
            LineDown: it could not, or no longer.
        """
        ...

    async def say(self, registration: Registered) -> None:
        """Tell what we are now; raises nothing, as the next run tells it again."""
        ...

    async def leave(self) -> None:
        """Say goodbye, in a second or two; raises nothing."""
        ...

    def abort(self) -> None:
        """Cut the connection without a goodbye."""
        ...
