"""Patterns of mappings: ``/room/{id}``, ``/order.*``, ``/audit/**``.

See docs/wire/spring-relay.md §7.1. Ant rules.

``?`` is one character, ``*`` any characters within a segment, ``**`` any number of whole segments
(also none), ``{name}`` one or more characters within a segment, ``{name:regex}`` what the
expression matches, within a segment. Everything is case-sensitive; ``/a`` and ``/a/`` differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from core.errors import UsageError

#: Paths come from clients: longer ones match no pattern, so that the cost of matching is bounded.
LONGEST_SEGMENT: Final = 255
MOST_SEGMENTS: Final = 100
#: Variables of one segment, which may split it in many ways.
_MOST_VARIABLES: Final = 4
_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")
_SPECIAL: Final = re.compile(r"[?*{}]")


@dataclass(frozen=True, slots=True)
class Glob:
    """One segment that is not plain text.

    Attributes:
        expression: Matches the whole segment; a group for each variable.
        variables: Their names.
        atoms: Its characters, with ``ANY`` and ``STAR`` among them; None if it has an expression of
            its own, about which nothing is known.
    """

    expression: re.Pattern[str]
    variables: tuple[str, ...]
    atoms: tuple[str, ...] | None


#: One character, whatever it is. Atoms of plain text are single characters, so these are none.
ANY: Final = "any"
#: Any characters.
STAR: Final = "star"
#: The segment ``**``; pyright narrows None itself only, so some places say None.
DOUBLE: Final = None

Segment = str | Glob | None


@dataclass(frozen=True, slots=True)
class Specificity:
    """What decides between two patterns that match the same path.

    Attributes:
        catch_all: ``/**``.
        prefix: It ends with ``**``.
        variables: How many ``{name}``.
        singles: How many ``*``.
        doubles: How many ``**``.
        length: Characters, where a variable counts as one.
    """

    catch_all: bool
    prefix: bool
    variables: int
    singles: int
    doubles: int
    length: int

    @property
    def total(self) -> int:
        """How much of it is not literal."""
        return self.variables + self.singles + 2 * self.doubles

    def beats(self, other: Specificity) -> bool:
        """Whether this pattern is the better one."""
        if self.catch_all or other.catch_all:
            return other.catch_all and not self.catch_all
        if self.prefix and other.prefix:
            return self.length > other.length
        if self.prefix and not other.doubles:
            return False
        if other.prefix and not self.doubles:
            return True
        return self._order < other._order

    @property
    def _order(self) -> tuple[int, int, int, int]:
        return (self.total, -self.length, self.singles, self.variables)


class Pattern:
    """A pattern, ready to match.

    Args:
        text: The pattern; with the separator ``/`` a leading slash is added where it is missing.
        separator: ``/`` or ``.``.

    Attributes:
        text: The pattern.
        plain: Whether it is no pattern but just a path.
        segments: Its segments.
        variables: Names of its variables, in order.
        signature: The same for two patterns that differ in the names of variables only.
        specificity: How it compares to others.

    Raises:
        UsageError: It cannot be understood.
    """

    __slots__ = ("_head", "plain", "segments", "separator", "signature", "specificity", "text", "variables")

    def __init__(self, text: str, separator: str = "/") -> None:
        if separator == "/" and not text.startswith("/"):
            text = f"/{text}"
        self.text = text
        self.separator = separator
        pieces = _split(text, separator)
        self.segments: tuple[Segment, ...] = tuple(_segment(piece, text) for piece in pieces)
        globs = [segment for segment in self.segments if isinstance(segment, Glob)]
        self.variables = tuple(name for glob in globs for name in glob.variables)
        if len(set(self.variables)) < len(self.variables):
            raise UsageError(f"the pattern {text!r} has the same variable twice", hint="rename one of them")
        self.plain = all(isinstance(segment, str) for segment in self.segments)
        nameless = [_nameless(piece) for piece in pieces]
        self.signature = separator.join(signature for signature, _ in nameless)
        self.specificity = self._weigh(sum(length for _, length in nameless) + len(pieces) - 1)
        special = _SPECIAL.search(text)
        self._head = text if special is None else text[: special.start()]
        if self._head.endswith(separator) and self.segments[-1] is DOUBLE:
            self._head = self._head[:-1]  # /a/** matches /a too

    def match(self, path: str) -> dict[str, str] | None:
        """The variables of a path, or None if it does not match."""
        if not path.startswith(self._head):
            return None
        parts = path.split(self.separator)
        if len(parts) > MOST_SEGMENTS or max(map(len, parts)) > LONGEST_SEGMENT:
            return None
        values = _align(self.segments, parts)
        return None if values is None else dict(zip(self.variables, values, strict=True))

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def _weigh(self, length: int) -> Specificity:
        doubles = sum(segment is DOUBLE for segment in self.segments)
        prefix = self.segments[-1] is DOUBLE
        catch_all = prefix and all(segment in (DOUBLE, "") for segment in self.segments)
        return Specificity(
            catch_all,
            prefix and not catch_all,
            len(self.variables),
            sum(_stars(segment) for segment in self.segments) - len(self.variables),
            doubles,
            length,
        )


def combine(outer: str, inner: str, separator: str = "/") -> str:
    """A class's pattern and a method's: ``/red`` + ``/blue`` is ``/red/blue``.

    See docs/wire/spring-relay.md §7.1.
    """
    if not outer or not inner:
        return outer or inner
    if outer.endswith(separator + "*"):
        outer = outer[:-2]
    return outer.removesuffix(separator) + separator + inner.removeprefix(separator)


def _stars(segment: Segment) -> int:
    """How many ``*`` and ``{name}`` a segment has."""
    if not isinstance(segment, Glob):
        return 0
    if segment.atoms is None:
        return len(segment.variables)
    return segment.atoms.count(STAR)


def _align(segments: tuple[Segment, ...], parts: list[str]) -> list[str] | None:
    """Values of the variables; goes back to the last ``**`` only, so time is the product of both."""
    values: list[str] = []
    at, pos, double_at, double_pos, mark = 0, 0, -1, 0, 0
    while pos < len(parts):
        if at < len(segments):
            segment = segments[at]
            if segment is None:
                double_at, double_pos, mark = at, pos, len(values)
                at += 1
                continue
            if _matches(segment, parts[pos], values):
                at += 1
                pos += 1
                continue
        if double_at < 0:
            return None
        double_pos += 1
        at, pos = double_at + 1, double_pos
        del values[mark:]
    return values if all(segment is DOUBLE for segment in segments[at:]) else None


def _matches(segment: str | Glob, part: str, values: list[str]) -> bool:
    if isinstance(segment, str):
        return segment == part
    found = segment.expression.fullmatch(part)
    if found is None:
        return False
    values.extend(found.groups())
    return True


# ---- reading a pattern -----------------------------------------------------------------------


def _split(text: str, separator: str) -> list[str]:
    """Segments; separators between braces belong to an expression."""
    pieces, depth, begin = list[str](), 0, 0
    for position, character in enumerate(text):
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
        elif character == separator and not depth:
            pieces.append(text[begin:position])
            begin = position + 1
        if depth < 0:
            break
    if depth:
        raise UsageError(f"the braces of the pattern {text!r} do not match", hint="write {name}")
    return [*pieces, text[begin:]]


def _segment(piece: str, pattern: str) -> Segment:
    if piece == "**":
        return DOUBLE
    if not _SPECIAL.search(piece):
        return piece
    expression: list[str] = []
    variables: list[str] = []
    atoms: list[str] | None = []
    position = 0
    while position < len(piece):
        character = piece[position]
        if character == "{":
            end = _closing(piece, position)
            name, colon, own = piece[position + 1 : end].partition(":")
            variables.append(_checked_name(name, pattern))
            expression.append(f"({_checked_expression(own, pattern)})" if colon else "(.+)")
            if colon or atoms is None:
                atoms = None
            else:
                atoms += (ANY, STAR)
            position = end + 1
            continue
        expression.append({"*": ".*", "?": "."}.get(character, re.escape(character)))
        if atoms is not None:
            atoms.append({"*": STAR, "?": ANY}.get(character, character))
        position += 1
    if len(variables) > _MOST_VARIABLES:
        raise UsageError(
            f"the pattern {pattern!r} has more than {_MOST_VARIABLES} variables in one segment",
            hint="separate them",
        )
    text = "".join(expression) if variables else _without_backtracking(expression)
    return Glob(re.compile(text, re.DOTALL), tuple(variables), None if atoms is None else tuple(atoms))


def _without_backtracking(expression: list[str]) -> str:
    """Each ``*`` takes as little as what follows it, up to the next, allows; and never goes back."""
    runs: list[str] = [""]
    for atom in expression:
        if atom == ".*":
            runs.append("")
        else:
            runs[-1] += atom
    first, *others = runs
    if not others:
        return first
    return first + "".join(f"(?>.*?{run})" for run in others[:-1] if run) + f".*{others[-1]}"


def _closing(piece: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(piece)):
        depth += {"{": 1, "}": -1}.get(piece[position], 0)
        if not depth:
            return position
    raise AssertionError("the braces of a segment match")


def _checked_name(name: str, pattern: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} in the pattern {pattern!r} is no name of a variable",
            hint="write {name}, or {name:expression}",
        )
    return name


def _checked_expression(own: str, pattern: str) -> str:
    try:
        groups = re.compile(f"({own})").groups
    except re.error as error:
        raise UsageError(f"the expression {own!r} in the pattern {pattern!r} is wrong: {error}") from None
    if groups > 1:
        raise UsageError(
            f"the expression {own!r} in the pattern {pattern!r} has groups", hint="write (?:…) instead of (…)"
        )
    return own


def _nameless(piece: str) -> tuple[str, int]:
    """A segment without the names of its variables, and its length where each counts as one."""
    text, length, position = "", 0, 0
    while position < len(piece):
        end = position
        if piece[position] == "{":
            end = _closing(piece, position)
            text += "{" + "".join(piece[position + 1 : end].partition(":")[1:]) + "}"
        else:
            text += piece[position]
        length += 1
        position = end + 1
    return text, length
