"""Arguments of predicates and filters: by position or by name, brought to the fields they mean.

Spring's shortcut form splits at commas and cannot quote them; what has a comma is written in the
long form. Names are bound in a relaxed way: ``firstBackoff``, ``first-backoff`` (docs/wire/gateway.md §1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .definition import Part

_LIST_KEY = re.compile(r"(.+?)(?:\.\d+|\[\d+\])")
_GENERATED = re.compile(r"_genkey_(\d+)")
_DURATION = re.compile(r"([+-]?\d+)\s*(ns|us|ms|s|m|h|d)?", re.IGNORECASE)
_ISO_DURATION = re.compile(
    r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?", re.IGNORECASE
)
_UNITS: Mapping[str, float] = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}
#: A year: more is a mistake, and would overflow timers.
_LONGEST_S = 366 * 86400


@dataclass(frozen=True, slots=True)
class Shape:
    """What a predicate or filter takes.

    Attributes:
        fields: Names in the order of the shortcut form.
        rest: The field that takes all tokens from its place on; a list.
        lists: Further fields that are lists.
        long_only: Fields that only the long form has.
        aliases: Other names of fields.
    """

    fields: tuple[str, ...] = ()
    rest: str = ""
    lists: frozenset[str] = frozenset()
    long_only: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def names(self) -> tuple[str, ...]:
        """All fields."""
        return (*self.fields, *((self.rest,) if self.rest else ()), *self.long_only)


class Arguments:
    """The arguments of one part, by field.

    Raises:
        ValueError: there are too many, or one that is not known.
    """

    def __init__(self, part: Part, shape: Shape) -> None:
        self._values: dict[str, list[str]] = {}
        self._lists = shape.lists | {shape.rest}
        positions = list(part.arguments)
        known = {_plain(name): name for name in shape.names}
        known |= {_plain(other): name for other, name in shape.aliases.items()}
        for key, value in part.named.items():
            if _GENERATED.fullmatch(key):
                positions.append(value)
                continue
            indexed = _LIST_KEY.fullmatch(key)
            name = known.get(_plain(indexed[1] if indexed else key))
            if name is None:
                raise ValueError(f"argument {key!r} is not known; known: {', '.join(shape.names) or 'none'}")
            # A list may also be written as one text with commas; its elements may not.
            split = name in self._lists and not indexed
            found = [x.strip() for x in value.split(",")] if split else [value]
            self._values.setdefault(name, []).extend(found)
        self._place(positions, shape)

    def _place(self, positions: list[str], shape: Shape) -> None:
        for name, value in zip(shape.fields, positions, strict=False):
            self._values.setdefault(name, []).append(value)
        left = positions[len(shape.fields) :]
        if left and not shape.rest:
            takes = f"takes {', '.join(shape.fields)}" if shape.fields else "takes no values"
            raise ValueError(f"{takes}, not {len(positions)} values; one with a comma needs the long form")
        if left:
            self._values.setdefault(shape.rest, []).extend(left)

    def optional(self, name: str) -> str | None:
        """The single value of a field; None if it is not given."""
        values = self._values.get(name, [])
        if len(values) > 1:
            raise ValueError(f"{name} is a single value")
        return values[0] if values else None

    def one(self, name: str) -> str:
        """The single value of a field that must be there."""
        value = self.optional(name)
        if not value:
            raise ValueError(f"needs {name}")
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """The values of a list."""
        return tuple(value for value in self._values.get(name, []) if value)

    def number(self, name: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
        """A whole number of a field."""
        text = self.optional(name)
        return default if text is None else whole(text, name, least=least, most=most)


def whole(text: str, name: str, *, least: int = 0, most: int = 1_000_000) -> int:
    """A whole number within limits.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"-?[0-9]{1,15}", text.strip()) or not least <= int(text) <= most:
        raise ValueError(f"{name} takes a number from {least} to {most}, not {text[:40]!r}")
    return int(text)


def duration(text: str, name: str) -> float:
    """Seconds of ``500`` (milliseconds), ``10ms``, ``5s``, ``PT0.5S``, as Spring writes them.

    Raises:
        ValueError: it is none, or longer than a year.
    """
    if match := _DURATION.fullmatch(text.strip()):
        seconds = int(match[1][:30]) * _UNITS[(match[2] or "ms").lower()]
    elif (match := _ISO_DURATION.fullmatch(text.strip())) and any(match.groups()):
        days, hours, minutes, rest = (float(x or 0) for x in match.groups())
        seconds = days * 86400 + hours * 3600 + minutes * 60 + rest
    else:
        raise ValueError(f"{name} takes a duration such as 500ms or 5s, not {text[:40]!r}")
    if seconds > _LONGEST_S:
        raise ValueError(f"{name} is longer than a year: {text[:40]!r}")
    return seconds


def truth(text: str, name: str) -> bool:
    """A boolean as Spring reads it.

    Raises:
        ValueError: it is none.
    """
    plain = text.strip().lower()
    if plain in ("true", "on", "yes", "1"):
        return True
    if plain in ("false", "off", "no", "0"):
        return False
    raise ValueError(f"{name} is true or false, not {text[:40]!r}")


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()
