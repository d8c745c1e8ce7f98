"""Rules of who may do what, as an interceptor: what no rule allows is denied.

See docs/wire/spring-relay.md §10.2.

::

    Rules(
        Allow("CONNECT", when=lambda frame: frame.user != ""),
        Allow("SUBSCRIBE", "/user/**", "/topic/news.*"),
        Deny("SEND", "/app/admin/**", when=lambda frame: "admin" not in frame.attributes),
        Allow("SEND", "/app/**"),
    )
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal
from urllib.parse import unquote

from core.errors import UsageError

from ..destinations.spellings import spelling_of
from .interceptors import ClientFrame, Command, Denied
from .patterns import Pattern

#: Spellings that brokers read as another destination, or as two; a slash in a name is none.
_ODD: Final = re.compile(r"[,;?]|://|%(?!2[Ff])")
_COMMANDS: Final = frozenset({"CONNECT", "SUBSCRIBE", "SEND", "*"})


class _Rule:
    """What a rule is for.

    Args:
        command: CONNECT, SUBSCRIBE or SEND; ``*`` for all of them.
        patterns: Of destinations, as handlers have them; none: all destinations.
        when: A further condition.
    """

    def __init__(
        self,
        command: Command | Literal["*"],
        *patterns: str,
        when: Callable[[ClientFrame], bool] | None = None,
    ) -> None:
        if command not in _COMMANDS:
            raise UsageError(f"no rule can be for {command!r}", hint="CONNECT, SUBSCRIBE, SEND or *")
        self._command = command
        self._patterns = tuple(Pattern(text) for text in patterns)
        self._when = when

    def applies(self, frame: ClientFrame) -> bool:
        """Whether it decides about a frame."""
        if self._command not in ("*", frame.command):
            return False
        if self._patterns and not self._covers(frame.destination):
            return False
        return self._when is None or self._when(frame)

    def _covers(self, destination: str) -> bool:
        return any(pattern.match(destination) is not None for pattern in self._patterns)


class Deny(_Rule):
    """What it applies to is denied, in every spelling of the destination."""

    def _covers(self, destination: str) -> bool:
        return super()._covers(destination) or super()._covers(unquote(destination))


class Allow(_Rule):
    """What it applies to is allowed.

    Destinations that a broker reads as several are not, unless ``wildcards`` says so: neither
    wildcards (``/topic/#`` covers what another rule denies) nor unusual spellings.
    """

    def __init__(
        self,
        command: Command | Literal["*"],
        *patterns: str,
        when: Callable[[ClientFrame], bool] | None = None,
        wildcards: bool = False,
    ) -> None:
        super().__init__(command, *patterns, when=when)
        self._wildcards = wildcards

    def applies(self, frame: ClientFrame) -> bool:
        """Whether it allows a frame."""
        destination = frame.destination
        if not self._wildcards and (_ODD.search(destination) or spelling_of(destination).wild):
            return False
        return super().applies(frame)


class Rules:
    """An interceptor: the first rule that applies decides, and if none does the frame is denied."""

    def __init__(self, *rules: Allow | Deny) -> None:
        self._rules = rules

    def __call__(self, frame: ClientFrame) -> None:
        """Let a frame through, or raise :class:`Denied`."""
        for rule in self._rules:
            if rule.applies(frame):
                if isinstance(rule, Allow):
                    return
                break
        what = f"{frame.command} {frame.destination}".strip()[:300]
        raise Denied("Access denied", f"{what} is not allowed")
