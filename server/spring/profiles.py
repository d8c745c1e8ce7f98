"""Which profiles are active, and which documents are for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

#: Spring's variable.
VARIABLE: Final = "SPRING_PROFILES_ACTIVE"
_TOKEN: Final = re.compile(r"\s*([()!&|]|[^\s()!&|]+)")


def names_in(text: str) -> tuple[str, ...]:
    """The profiles of a list with commas."""
    return tuple(name for name in (word.strip() for word in text.split(",")) if name)


def with_groups(names: Iterable[str], groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The profiles, each with the members of the group that it is, in the order in which they count."""
    found: list[str] = []

    def add(name: str) -> None:
        if name not in found:
            found.append(name)
            for member in groups.get(name, ()):
                add(member)

    for name in names:
        add(name)
    return tuple(found)


def accepts(expression: str, active: Iterable[str]) -> bool:
    """Whether ``prod & !cloud, test`` holds: one of those between commas, each with ``!``, ``&``, ``|``.

    Raises:
        ValueError: it is no expression.
    """
    profiles = frozenset(active)
    return any(_Expression(part, profiles).holds() for part in expression.split(",") if part.strip())


class _Expression:
    """One expression, read from left to right."""

    def __init__(self, text: str, active: frozenset[str]) -> None:
        self._text = text
        self._tokens = [match[1] for match in _TOKEN.finditer(text.rstrip())]
        self._active = active
        if len(self._tokens) > 200:
            raise ValueError("a profile expression that is too long")

    def holds(self) -> bool:
        """Its value."""
        value = self._any()
        if self._tokens:
            raise self._wrong()
        return value

    def _any(self) -> bool:
        value = self._all()
        while self._take("|"):
            value = self._all() or value
        return value

    def _all(self) -> bool:
        value = self._one()
        while self._take("&"):
            value = self._one() and value
        return value

    def _one(self) -> bool:
        if self._take("!"):
            return not self._one()
        if self._take("("):
            value = self._any()
            if not self._take(")"):
                raise self._wrong()
            return value
        if not self._tokens or self._tokens[0] in ")&|":
            raise self._wrong()
        return self._tokens.pop(0) in self._active

    def _take(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _wrong(self) -> ValueError:
        return ValueError(f"{self._text.strip()[:80]!r} is no expression of profiles, such as prod & !cloud")
