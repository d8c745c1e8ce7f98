"""Which handler takes a path: the one of exactly this path, else the one of the best pattern."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from core.errors import PushscopeError, UsageError

from .ambiguity import meeting_point
from .patterns import Pattern

T = TypeVar("T")

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class AmbiguousMapping(PushscopeError):
    """Two patterns match a path and neither is the better one."""


class Routes(Generic[T]):
    """Mappings of one kind of frame.

    Args:
        separator: Of the segments of paths.
    """

    def __init__(self, separator: str = "/") -> None:
        self.separator = separator
        self._exact: dict[str, tuple[T, Mapping[str, str]]] = {}
        self._patterns: list[tuple[Pattern, T]] = []
        self._signatures: dict[str, tuple[str, T]] = {}

    def add(self, pattern: Pattern, handler: T) -> None:
        """Add a mapping.

        Raises:
            UsageError: There is one that matches the same paths.
        """
        taken = self._signatures.get(pattern.signature)
        if taken is not None:
            raise UsageError(
                f"two handlers for {pattern.text}: {taken[1]} ({taken[0]}) and {handler}",
                hint="give each its own path",
            )
        self._signatures[pattern.signature] = (pattern.text, handler)
        if pattern.plain:
            self._exact[pattern.text] = (handler, _NOTHING)
        else:
            self._patterns.append((pattern, handler))

    def check(self) -> None:
        """Find paths that two patterns match equally well.

        What depends on expressions (``{name:regex}``) is found when such a path comes.

        Raises:
            UsageError: There is one.
        """
        for index, (one, _) in enumerate(self._patterns):
            for other, _ in self._patterns[:index]:
                if one.specificity.beats(other.specificity) or other.specificity.beats(one.specificity):
                    continue
                path = meeting_point(one, other)
                if path is None:
                    continue
                try:
                    self.find(path)
                except AmbiguousMapping as error:
                    raise UsageError(str(error), hint=f"give {path} a handler of its own") from None

    def find(self, path: str) -> tuple[T, Mapping[str, str]] | None:
        """The handler of a path and the variables in it.

        Raises:
            AmbiguousMapping: Two patterns match equally well.
        """
        found = self._exact.get(path)
        if found is not None or not self._patterns:
            return found
        return self._best(path)

    def _best(self, path: str) -> tuple[T, Mapping[str, str]] | None:
        found = [
            (pattern, handler, variables)
            for pattern, handler in self._patterns
            if (variables := pattern.match(path)) is not None
        ]
        if not found:
            return None
        for pattern, handler, variables in found:
            weight = pattern.specificity
            if all(other is pattern or weight.beats(other.specificity) for other, _, _ in found):
                return handler, variables
        # Those that nothing beats; one at least, unless the order of three is a circle.
        ties = [
            one for one in found if not any(two[0].specificity.beats(one[0].specificity) for two in found)
        ]
        names = " and ".join(f"{pattern.text} ({handler})" for pattern, handler, _ in ties or found)
        raise AmbiguousMapping(f"{path} is matched equally well by {names}")
