"""Placeholders in values: ``${name}``, ``${name:default}``, one within another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from core.errors import UsageError

from .settings import plain_key

_DEEPEST: Final = 20
_LONGEST: Final = 64 * 1024
_CANONICAL: Final = re.compile(r"[a-z0-9.\[\]-]+")


class UnfilledError(UsageError):
    """Nothing fills a placeholder."""


class Placeholders:
    """Fills placeholders as Spring does: from the environment, then from the files.

    Args:
        environment: Variables; ``server.port`` is found in ``SERVER_PORT`` too.
        values: What the files say, by key. A name in lower case finds it in any spelling, another one only
            in its own.
    """

    def __init__(self, environment: Mapping[str, str], values: Mapping[str, str]) -> None:
        self._environment = environment
        self._values = values
        self._relaxed = {plain_key(key): value for key, value in values.items()}

    def fill(self, text: str, where: str, keep: Callable[[str], bool] | None = None) -> str:
        """``text`` with its placeholders filled; ``where`` begins the message if one cannot be.

        Args:
            text: As written.
            where: File and line, maybe the key.
            keep: Whether a name is none of a placeholder, and stays as it stands.

        Raises:
            UnfilledError: nothing fills one; the hint says which variable would.
            UsageError: they lead to each other without an end.
        """
        return self._fill(text, where, keep, 0)

    def _fill(self, text: str, where: str, keep: Callable[[str], bool] | None, depth: int) -> str:
        if depth > _DEEPEST or len(text) > _LONGEST:
            raise UsageError(f"{where}: placeholders that lead to each other without an end")
        pieces: list[str] = []
        position = 0
        while (start := text.find("${", position)) >= 0:
            end = _end_of(text, start + 2)
            if end < 0:
                break
            pieces.append(text[position:start])
            pieces.append(self._value(text[start + 2 : end], where, keep, depth))
            position = end + 1
        return "".join(pieces) + text[position:] if pieces else text

    def _value(self, inside: str, where: str, keep: Callable[[str], bool] | None, depth: int) -> str:
        if "${" in inside.partition(":")[0]:
            inside = self._fill(inside, where, keep, depth + 1)
        name, colon, default = inside.partition(":")
        name = name.strip()
        if keep is not None and keep(name):
            return f"${{{inside}}}"
        found = self._find(name)
        if found is None and not colon:
            if keep is not None:
                return f"${{{inside}}}"
            variable = variable_of(name)
            raise UnfilledError(
                f"{where}: nothing fills ${{{name}}}",
                hint=f"set the environment variable {variable}, or give the file that says {name} too",
            )
        return self._fill(default if found is None else found, where, keep, depth + 1)

    def _find(self, name: str) -> str | None:
        spellings = (name, variable_of(name), re.sub(r"[.-]", "_", name).upper())
        for spelling in spellings:
            if spelling in self._environment:
                return self._environment[spelling]
        if name in self._values or _CANONICAL.fullmatch(name) is None:
            return self._values.get(name)
        return self._relaxed.get(plain_key(name))


def variable_of(key: str) -> str:
    """The environment variable in which Spring looks for a key."""
    return re.sub(r"[.\[]", "_", re.sub(r"[\]-]", "", key)).upper()


def _end_of(text: str, start: int) -> int:
    """Where the placeholder ends whose inside begins at ``start``; -1 if it does not."""
    depth = 0
    for place in range(start, len(text)):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            if not depth:
                return place
            depth -= 1
    return -1
