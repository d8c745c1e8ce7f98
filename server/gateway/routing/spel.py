"""The part of Spring's expression language that configurations of gateways use (pure).

Strings, numbers, ``true`` and ``false``; ``serviceId``, ``metadata['key']``, ``metadata.key``; ``+``,
comparisons (``==``, ``!=``, ``eq``, ``ne``, ``matches``), ``and``, ``or``, ``not``, ``&&``, ``||``, ``!``,
``a ? b : c``, ``a ?: b``; and the methods of strings and maps in :data:`_METHODS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from .java_regex import compile_java

Value = str | bool | int | None | Mapping[str, str]

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|(?P<number>\d{1,9})|(?P<name>[A-Za-z_$][\w$]*)"
    r"|(?P<sign>==|!=|&&|\|\||\?:|\?\.|[-+()\[\].,!?:]))"
)
_LONGEST: Final = 1000


_METHODS: Final[Mapping[str, Callable[[str, list[str]], Value]]] = {
    "startsWith": lambda text, given: text.startswith(given[0]),
    "endsWith": lambda text, given: text.endswith(given[0]),
    "contains": lambda text, given: given[0] in text,
    "equals": lambda text, given: text == given[0],
    "equalsIgnoreCase": lambda text, given: text.lower() == given[0].lower(),
    "toLowerCase": lambda text, given: text.lower(),
    "toUpperCase": lambda text, given: text.upper(),
    "trim": lambda text, given: text.strip(),
    "isEmpty": lambda text, given: not text,
    "length": lambda text, given: len(text),
    "replace": lambda text, given: text.replace(given[0], given[1]),
    "substring": lambda text, given: text[int(given[0]) : int(given[1]) if len(given) > 1 else None],
    "matches": lambda text, given: compile_java(given[0]).fullmatch(text) is not None,
    "concat": lambda text, given: text + given[0],
}
_OF_MAPS: Final[Mapping[str, Callable[[Mapping[str, str], list[str]], Value]]] = {
    "get": lambda found, given: found.get(given[0]),
    "containsKey": lambda found, given: given[0] in found,
    "getOrDefault": lambda found, given: found.get(given[0], given[1]),
    "isEmpty": lambda found, given: not found,
}


def evaluate(text: str, context: Mapping[str, Value]) -> Value:
    """The value of an expression.

    Args:
        text: The expression.
        context: What names mean.

    Raises:
        ValueError: it is not understood.
    """
    if len(text) > _LONGEST:
        raise ValueError("an expression that is too long")
    try:
        return _Expression(text, context).value()
    except (TypeError, IndexError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"expression {text[:80]!r} is not understood: {error}") from error


class _Expression:
    """One expression, read from left to right."""

    def __init__(self, text: str, context: Mapping[str, Value]) -> None:
        self._text = text
        self._context = context
        self._tokens: list[tuple[str, str]] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._wrong()
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()

    def value(self) -> Value:
        """All of it."""
        found = self._choice()
        if self._tokens:
            raise self._wrong()
        return found

    def _choice(self) -> Value:
        found = self._any()
        if self._take("?:"):
            other = self._choice()
            return found or other
        if self._take("?"):
            first = self._choice()
            self._need(":")
            second = self._choice()
            return first if found else second
        return found

    def _any(self) -> Value:
        found = self._all()
        while self._take("||") or self._take("or"):
            found = bool(self._all()) or bool(found)
        return found

    def _all(self) -> Value:
        found = self._compared()
        while self._take("&&") or self._take("and"):
            found = bool(self._compared()) and bool(found)
        return found

    def _compared(self) -> Value:
        found = self._sum()
        if self._take("==") or self._take("eq"):
            return found == self._sum()
        if self._take("!=") or self._take("ne"):
            return found != self._sum()
        if self._take("matches"):
            return compile_java(str(self._sum())).fullmatch(str(found)) is not None
        return found

    def _sum(self) -> Value:
        found = self._negated()
        while self._take("+"):
            found = f"{_text(found)}{_text(self._negated())}"
        return found

    def _negated(self) -> Value:
        if self._take("!") or self._take("not"):
            return not self._negated()
        return self._followed(self._first())

    def _first(self) -> Value:
        if self._take("("):
            found = self._choice()
            self._need(")")
            return found
        kind, token = self._tokens.pop(0)
        if kind == "text":
            return token[1:-1].replace(token[0] * 2, token[0])
        if kind == "number":
            return int(token)
        if kind != "name" or (token not in self._context and token not in ("true", "false", "null")):
            raise self._wrong()
        return {"true": True, "false": False, "null": None}.get(token, self._context.get(token))

    def _followed(self, found: Value) -> Value:
        while True:
            if self._take("["):
                key = self._choice()
                self._need("]")
                found = cast("Mapping[str, str]", found).get(str(key))
            elif self._take(".") or self._take("?."):
                found = self._member(found)
            else:
                return found

    def _member(self, found: Value) -> Value:
        kind, name = self._tokens.pop(0)
        if kind != "name":
            raise self._wrong()
        if not self._take("("):
            return cast("Mapping[str, str]", found).get(name)
        given: list[str] = []
        while not self._take(")"):
            given.append(_text(self._choice()))
            self._take(",")
        if found is None:
            return None
        if isinstance(found, Mapping):
            return _OF_MAPS[name](found, given)
        return _METHODS[name](str(found), given)

    def _take(self, token: str) -> bool:
        if self._tokens and self._tokens[0][0] != "text" and self._tokens[0][1] == token:
            self._tokens.pop(0)
            return True
        return False

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise self._wrong()

    def _wrong(self) -> ValueError:
        return ValueError(f"expression {self._text[:80]!r} is not understood")


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
