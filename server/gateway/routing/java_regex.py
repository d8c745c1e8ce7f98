r"""Java's regular expressions as Python's (pure).

Both share most of their syntax; what differs is translated (``(?<name>…)``, ``\p{Alpha}``,
``\Q…\E``, ``\z``, ``\h`` …), and what has no counterpart is an error, never a guess: intersections
and unions of classes, Unicode properties, ``\G``, flags in the middle. As in Java ``\d``, ``\w``,
``\s`` and ``(?i)`` mean ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

_LONGEST: Final = 2000
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_FLAGS: Final = re.compile(r"\?([a-zA-Z]*)(-[a-zA-Z]*)?([:)])")
_BRACES: Final = re.compile(r"\{(\d{1,6})(?:(,)(\d{0,6}))?\}")
_SAME: Final = frozenset("dDsSwW")
_SAME_OUTSIDE: Final = frozenset("bBA")
_CONTROLS: Final[Mapping[str, str]] = {c: f"\\{c}" for c in "tnrfa"} | {"e": "\\x1b"}
_VERTICAL: Final = r"\n\x0b\f\r\x85\u2028\u2029"
_HORIZONTAL: Final = r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"
_OUTSIDE: Final[Mapping[str, str]] = {
    "z": r"\Z",
    "Z": r"(?=\n?\Z)",
    "R": rf"(?:\r\n|[{_VERTICAL}])",
    "h": f"[{_HORIZONTAL}]",
    "H": f"[^{_HORIZONTAL}]",
    "v": f"[{_VERTICAL}]",
    "V": f"[^{_VERTICAL}]",
}
_POSIX: Final[Mapping[str, str]] = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": r"\x20-~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": r" \t\n\x0b\f\r",
}


def compile_java(expression: str) -> re.Pattern[str]:
    """The Python pattern that matches what ``expression`` matches in Java.

    Raises:
        ValueError: it is wrong, too long, or cannot be translated; the text says why.
    """
    return _compiled(expression, _Translation(expression).run())


def can_explode(expression: str) -> bool:
    """Whether a repetition holds another one, which on some texts takes exponential time.

    Only a hint: many such expressions are harmless. ``expression`` compiles.
    """
    translation = _Translation(expression)
    translation.run()
    return translation.nested


def _compiled(expression: str, translated: str) -> re.Pattern[str]:
    try:
        return re.compile(translated, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"regular expression {expression!r}: {error}") from error


class _Translation:
    """One pass over an expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._out: list[str] = []
        self._groups = 0
        self._open: list[bool] = []  # for each open group: whether it holds a repetition
        self._repeats = False  # the same for the whole, and then for the atom just read
        self._atom_repeats = False
        self.nested = False

    def run(self) -> str:
        if len(self._text) > _LONGEST:
            raise ValueError(f"a regular expression has {_LONGEST} characters at most")
        steps: dict[str, Callable[[], None]] = {
            "\\": self._escape,
            "[": self._class,
            "(": self._open_group,
            ")": self._close_group,
            "{": self._quantifier,
            "*": self._quantifier,
            "+": self._quantifier,
            "?": self._quantifier,
        }
        while self._at < len(self._text):
            sign = self._text[self._at]
            step = steps.get(sign)
            if step is not None:
                step()
            else:
                self._emit(sign if sign in ".|^$" else re.escape(sign), 1)
        return "".join(self._out)

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"regular expression {self._text!r}: {what}")

    def _emit(self, translated: str, taken: int) -> None:
        self._out.append(translated)
        self._at += taken
        self._atom_repeats = False

    def _starts(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    # Groups and quantifiers

    def _open_group(self) -> None:
        self._open.append(self._repeats)
        self._repeats = False
        rest = self._text[self._at + 1 : self._at + 4]
        if not rest.startswith("?"):
            self._groups += 1
            self._emit("(", 1)
        elif rest[:2] in ("?:", "?=", "?!", "?>") or rest in ("?<=", "?<!"):
            size = 4 if rest[:2] == "?<" else 3
            self._emit(self._text[self._at : self._at + size], size)
        elif rest.startswith("?<"):
            name = _NAME.match(self._text, self._at + 3)
            if name is None or not self._text.startswith(">", name.end()):
                raise self._wrong("the name of a group has letters and digits: (?<name>…)")
            self._groups += 1
            self._emit(f"(?P<{name[0]}>", name.end() + 1 - self._at)
        else:
            self._flags()

    def _flags(self) -> None:
        match = _FLAGS.match(self._text, self._at + 1)
        if match is None:
            raise self._wrong(f"{self._text[self._at : self._at + 4]!r} is not Java's")
        letters = match[1] + (match[2] or "")
        if set(letters) - set("ims-"):
            raise self._wrong(f"flags {letters!r} cannot be translated; i, m and s can")
        if match[3] == ":":
            self._emit(f"({match[0]}" if letters.strip("-") else "(?:", len(match[0]) + 1)
            return
        if self._at or match[2]:
            raise self._wrong("flags that are not for a group stand at the start: (?i)…")
        self._repeats = self._open.pop()
        self._emit(f"({match[0]}" if letters else "", len(match[0]) + 1)

    def _close_group(self) -> None:
        if not self._open:
            raise self._wrong("a ')' without its '('")
        inside = self._repeats
        self._repeats = self._open.pop() or inside
        self._emit(")", 1)
        self._atom_repeats = inside

    def _quantifier(self) -> None:
        end = self._at + 1
        unbounded = self._text[self._at] in "*+"
        if self._text[self._at] == "{":
            match = _BRACES.match(self._text, self._at)
            if match is None:
                raise self._wrong("a '{' that begins no {n,m} is written \\{")
            end = match.end()
            unbounded = bool(match[2]) and not match[3]
        possessive = self._text.startswith("+", end)
        if possessive or self._text.startswith("?", end):
            end += 1
        inside = self._atom_repeats
        self._emit(self._text[self._at : end], end - self._at)
        if unbounded and not possessive:
            self.nested = self.nested or inside
            self._repeats = True

    # Escapes

    def _escape(self) -> None:
        if self._at + 1 == len(self._text):
            raise self._wrong("ends with a backslash")
        sign = self._text[self._at + 1]
        if sign in _OUTSIDE:
            self._emit(_OUTSIDE[sign], 2)
        elif sign in _SAME or sign in _SAME_OUTSIDE:
            self._emit(f"\\{sign}", 2)
        elif sign in "123456789":
            self._backreference()
        elif sign == "k":
            self._named_backreference()
        elif sign == "Q":
            self._quote()
        elif sign in "pP":
            ranges, taken = self._posix()
            self._emit(f"[{'^' if sign == 'P' else ''}{ranges}]", taken)
        else:
            self._emit(*self._character())

    def _quote(self) -> None:
        end = self._text.find("\\E", self._at)
        quoted = self._text[self._at + 2 : end if end >= 0 else None]
        for sign in quoted:
            self._emit(re.escape(sign), 0)
        self._at = end + 2 if end >= 0 else len(self._text)

    def _backreference(self) -> None:
        end = self._at + 2
        # Java takes further digits as long as there is a group of that number already.
        while (
            self._text[end : end + 1].isdecimal() and int(self._text[self._at + 1 : end + 1]) <= self._groups
        ):
            end += 1
        self._emit(f"(?:\\{int(self._text[self._at + 1 : end])})", end - self._at)

    def _named_backreference(self) -> None:
        match = re.compile(r"\\k<([A-Za-z][A-Za-z0-9]*)>").match(self._text, self._at)
        if match is None:
            raise self._wrong("a named group is meant by \\k<name>")
        self._emit(f"(?P={match[1]})", len(match[0]))

    def _posix(self) -> tuple[str, int]:
        match = re.compile(r"\\[pP]\{(\w+)\}").match(self._text, self._at)
        if match is None or match[1] not in _POSIX:
            shown = match[0] if match is not None else self._text[self._at : self._at + 2]
            raise self._wrong(f"{shown} cannot be translated; known: {', '.join(_POSIX)}")
        return _POSIX[match[1]], len(match[0])

    def _character(self) -> tuple[str, int]:
        """An escape that is one character, in or outside a class; and its length."""
        sign = self._text[self._at + 1]
        if sign in _CONTROLS:
            return _CONTROLS[sign], 2
        if not (sign.isascii() and sign.isalnum()):
            return re.escape(sign), 2
        for regex, base in (
            (r"\\x([0-9A-Fa-f]{2})", 16),
            (r"\\x\{([0-9A-Fa-f]{1,6})\}", 16),
            (r"\\u([0-9A-Fa-f]{4})", 16),
            (r"\\0([0-3][0-7]{2}|[0-7]{1,2})", 8),
        ):
            match = re.compile(regex).match(self._text, self._at)
            if match is not None and (code := int(match[1], base)) < 0x110000:
                return re.escape(chr(code)), len(match[0])
        if sign == "c" and self._at + 2 < len(self._text) and self._text[self._at + 2].isascii():
            return re.escape(chr(ord(self._text[self._at + 2]) ^ 64)), 3
        raise self._wrong(f"\\{sign} cannot be translated here")

    # Classes

    def _class(self) -> None:
        self._emit("[", 1)
        if self._starts("^"):
            self._emit("^", 1)
        first = True
        while not self._starts("]") or first:
            if self._at >= len(self._text):
                raise self._wrong("a class without its ']'")
            self._in_class()
            first = False
        self._emit("]", 1)

    def _in_class(self) -> None:
        sign = self._text[self._at]
        if sign == "[" or self._starts("&&"):
            raise self._wrong("classes within classes and && cannot be translated; \\[ and \\& are literal")
        if sign != "\\":
            # Python warns of what it may once read as operations on sets.
            doubled = sign == "-" and self._out[-1] == "-"
            self._emit(f"\\{sign}" if sign in "&~|]" or doubled else sign, 1)
            return
        if self._at + 1 == len(self._text):
            raise self._wrong("ends with a backslash")
        escaped = self._text[self._at + 1]
        if escaped in _SAME:
            self._emit(f"\\{escaped}", 2)
        elif escaped == "p":
            self._emit(*self._posix())
        elif escaped in "hv":
            self._emit(_HORIZONTAL if escaped == "h" else _VERTICAL, 2)
        elif escaped == "Q":
            self._quote()
        else:
            self._emit(*self._character())
