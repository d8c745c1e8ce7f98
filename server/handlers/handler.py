"""Handlers as they are called: a function, where its arguments come from, where its results go."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.errors import UsageError

from .arguments import Arguments
from .invocation import Invocation
from .marks import Reply, SendTo, SendToUser
from .patterns import Pattern

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")


class ExceptionHandlers:
    """Handlers of exceptions, of one class or of everybody."""

    def __init__(self) -> None:
        self._by_type: dict[type[Exception], Handler] = {}

    def add(self, error: type[Exception], handler: Handler) -> None:
        """Add one.

        Raises:
            UsageError: There is one for this type.
        """
        taken = self._by_type.get(error)
        if taken is not None:
            raise UsageError(
                f"two exception handlers for {error.__name__}: {taken} and {handler}",
                hint="one for each type, in a class and among functions",
            )
        self._by_type[error] = handler

    def find(self, error: BaseException | None) -> Handler | None:
        """The handler of the closest supertype of an exception."""
        if not self._by_type:
            return None
        for kind in type(error).__mro__:
            handler = self._by_type.get(kind)
            if handler is not None:
                return handler
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """A function or method that takes messages.

    Attributes:
        name: For errors and the log.
        function: What is called; a bound method for one of a class.
        arguments: Where its arguments come from.
        replies: Where its results go.
        answers: Whether results go straight to the subscriber.
        errors: Exception handlers of its class.
    """

    name: str
    function: Callable[..., Any]
    arguments: Arguments
    replies: tuple[Reply, ...]
    answers: bool
    errors: ExceptionHandlers

    def call(self, invocation: Invocation) -> Any:
        """Call the function with a message; returns its result, or what is to be awaited for it."""
        return self.arguments.call(self.function, invocation)

    def __str__(self) -> str:
        return self.name


def check_replies(replies: Sequence[Reply], patterns: Sequence[Pattern], handler: str) -> None:
    """Find variables in destinations that a path may not have.

    Raises:
        UsageError: There is one.
    """
    for destination in _destinations(replies):
        for name in _VARIABLE.findall(destination):
            without = next((pattern for pattern in patterns if name not in pattern.variables), None)
            if without is not None:
                raise UsageError(
                    f"{handler} sends to {destination!r}, and the pattern {without.text!r} has no {name!r}",
                    hint="name a variable of the pattern",
                )


def expand(destination: str, variables: Mapping[str, str]) -> str:
    """Replace ``{variables}``; unknown ones stay as they are."""
    if "{" not in destination:
        return destination
    return _VARIABLE.sub(lambda found: variables.get(found.group(1), found.group(0)), destination)


def _destinations(replies: Sequence[Reply]) -> list[str]:
    found: list[str] = []
    for reply in replies:
        match reply:
            case SendTo():
                found += reply.destinations
            case SendToUser():
                found.append(reply.destination)
    return found
