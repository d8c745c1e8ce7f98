"""TOML files written by people: every mistake names file, key and line, and what was meant perhaps."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from .errors import ScenarioError
from .reasons import reason_of

#: Where a value is in a file: names, and positions within lists.
KeyPath = tuple[str | int, ...]

_KEY: Final = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*=")
_TABLE: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"'-]+)\s*\]\]?")
_AT_LINE: Final = re.compile(r"\(at line (\d+), column (\d+)\)")
_AT_PATH: Final = re.compile(r"^(?P<message>.*?)(?: - at `\$?(?P<path>[^`]*)`)?$", re.DOTALL)
_PATH_PART: Final = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]")
_QUOTED: Final = re.compile(r"`([^`]+)`")
_WORDS: Final = (
    ("Object missing required field", "lacks the key"),
    ("Object contains unknown field", "has the unknown key"),
    ("Invalid enum value", "there is no"),
    ("Expected", "expected"),
)
_TYPES: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}

_T = TypeVar("_T")


class Mistake(msgspec.Struct, frozen=True):
    """One thing that makes no sense: where, what, and what would."""

    path: KeyPath
    message: str
    hint: str = ""


class TomlFile:
    """The text of one file being understood; knows the line of every key.

    Args:
        text: What it says.
        file: Its name, for messages.
    """

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._lines = _lines_of_keys(text)

    @classmethod
    def read(cls, path: str | Path) -> TomlFile:
        """The file at ``path``.

        Raises:
            ScenarioError: it cannot be read, or is not text.
        """
        try:
            return cls(Path(path).read_text(encoding="utf-8"), str(path))
        except OSError as error:
            reason = reason_of(error)
            raise ScenarioError(
                reason, file=str(path), key="", line=None, hint="give an existing file"
            ) from error
        except UnicodeDecodeError as error:
            raise ScenarioError("is not UTF-8 text", file=str(path), key="", line=None) from error

    def values(self) -> dict[str, Any]:
        """What it says, as TOML has it.

        Raises:
            ScenarioError: it is not TOML; names the line.
        """
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            place = _AT_LINE.search(str(error))
            message = _AT_LINE.sub("", str(error)).strip()
            if place:
                message += f" (column {place[2]})"
            line = int(place[1]) if place else len(self._text.splitlines())
            raise ScenarioError(
                message, file=self._file, key="", line=line, hint="the file is TOML"
            ) from None

    def convert(
        self, values: dict[str, Any], kind: type[_T], under: KeyPath = (), *, besides: tuple[str, ...] = ()
    ) -> _T:
        """The values as a struct.

        Args:
            values: Of the file, or of its table ``under``.
            kind: The struct.
            under: Where the table is.
            besides: Keys that are not the struct's and known all the same.

        Raises:
            ScenarioError: a key is unknown or missing, or a value is of a wrong type.
        """
        self._no_unknown(values, kind, under, besides)
        try:
            return msgspec.convert(values, kind)
        except msgspec.ValidationError as error:
            message, path = _parted(error)
            self.fail(message, (*under, *path), _choices(kind, path))

    def refuse(self, mistakes: Iterable[Mistake], under: KeyPath = ()) -> None:
        """Raise the first mistake, if there is one.

        Raises:
            ScenarioError: names file, key and line.
        """
        for mistake in mistakes:
            self.fail(mistake.message, (*under, *mistake.path), mistake.hint)

    def fail(self, message: str, path: KeyPath, hint: str = "") -> NoReturn:
        """Say that the value at ``path`` makes no sense.

        Raises:
            ScenarioError: always.
        """
        line = None
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                break
        raise ScenarioError(message, file=self._file, key=_written(path), line=line, hint=hint)

    def _no_unknown(
        self, values: dict[str, Any], kind: type, under: KeyPath, besides: tuple[str, ...] = ()
    ) -> None:
        hints = get_type_hints(kind)
        known = [*hints, *besides]
        for key in values:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                self.fail("unknown key", (*under, key), hint)
        for key, item in _struct_lists(hints):
            for number, table in enumerate(_tables(values.get(key))):
                self._no_unknown(table, item, (*under, key, number))


def _struct_lists(hints: dict[str, Any]) -> Iterator[tuple[str, type]]:
    """The fields that are arrays of tables, and the struct of a table."""
    for key, hint in hints.items():
        items = get_args(hint) if get_origin(hint) is tuple else ()
        if items and isinstance(items[0], type) and issubclass(items[0], msgspec.Struct):
            yield key, items[0]


def _tables(value: object) -> list[dict[str, Any]]:
    """The tables of an array of tables; empty for anything else, which is refused later."""
    items: list[Any] = value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
    return [item for item in items if isinstance(item, dict)]


def in_words(error: msgspec.ValidationError) -> str:
    """What msgspec found, in words for people: where, as ``faults[0].at``, and what."""
    message, path = _parted(error)
    return f"{_written(path)}: {message}" if path else message


def choices_for(error: msgspec.ValidationError, kind: type) -> str:
    """What would have made sense in a ``kind`` where msgspec found this; "" if that is no short list."""
    return _choices(kind, _parted(error)[1])


def _parted(error: msgspec.ValidationError) -> tuple[str, KeyPath]:
    """What msgspec found, in words, and where."""
    match = _AT_PATH.match(str(error))
    message, place = (match["message"], match["path"] or "") if match else (str(error), "")
    for said, words in _WORDS:
        message = message.replace(said, words)
    message = _QUOTED.sub(lambda quoted: _in_word(quoted[1]), message)
    return message, tuple(int(digits) if digits else name for name, digits in _PATH_PART.findall(place))


def _in_word(text: str) -> str:
    """A name in quotes, a type by what people write."""
    types = [kind for kind in text.split(" | ") if kind != "null"]
    if all(kind in _TYPES for kind in types):
        return " or ".join(_TYPES[kind] for kind in types)
    return f"'{text}'"


def _choices(kind: type, path: KeyPath) -> str:
    """The choices or the keys of what is at ``path``, if there is a fixed set of them."""
    hint: Any = kind
    for part in path:
        if isinstance(part, int):
            hint = get_args(hint)[0]
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            hint = get_type_hints(hint).get(part)
    if get_origin(hint) is Literal:
        return f"choose one of {', '.join(get_args(hint))}"
    keys = _keys_of(hint) if path else ()
    return f"known: {', '.join(keys)}" if keys else ""


def _keys_of(hint: Any) -> tuple[str, ...]:
    """The keys of a table of this type, which may be optional."""
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return kind.__struct_fields__
    return ()


def _written(path: KeyPath) -> str:
    """``faults[0].at``"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _lines_of_keys(text: str) -> dict[KeyPath, int]:
    """The line (from 1) of every key and table that has a line of its own.

    A value within an inline table or list has none; its key's line is used for it.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[str, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TABLE.match(line)
        if header and "=" not in line.split("#")[0]:
            name = header[2].strip("\"'")
            table = (name,)
            if header[1] == "[[":
                table = (name, counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            lines.setdefault((name,), number)
            lines.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key:
            lines.setdefault((*table, key[1].strip("\"'")), number)
    return lines
