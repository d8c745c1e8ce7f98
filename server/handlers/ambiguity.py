"""Whether two patterns can match the same path, found out before any message comes.

A pattern is a word with gaps: at the level of segments ``**`` is a gap, within a segment ``*``.
Two such words meet if one can walk both at once; the walk is an example of a path.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from .patterns import ANY, DOUBLE, STAR, Glob, Pattern, Segment

T = TypeVar("T")

#: What stands for characters that may be anything.
_SOME = "x"


def meeting_point(one: Pattern, other: Pattern) -> str | None:
    """A path that both patterns match.

    None if there is none, or if only an expression of the author's (``{name:regex}``) knows.
    """
    parts = _walk(one.segments, other.segments, lambda segment: segment is DOUBLE, _common_segment)
    if parts is None:
        return None
    path = one.separator.join(parts)
    # An expression was not understood, or a path would be too long to be matched.
    return path if one.match(path) is not None and other.match(path) is not None else None


def _walk(
    one: Sequence[T],
    other: Sequence[T],
    is_gap: Callable[[T], bool],
    common: Callable[[T, T], str | None],
) -> list[str] | None:
    """What is read on the shortest way through both at once, or None if there is no way."""
    waiting: deque[tuple[int, int, tuple[str, ...]]] = deque([(0, 0, ())])
    seen = {(0, 0)}

    def go(i: int, j: int, read: tuple[str, ...]) -> None:
        if (i, j) not in seen:
            seen.add((i, j))
            waiting.append((i, j, read))

    while waiting:
        i, j, read = waiting.popleft()
        if i == len(one) and j == len(other):
            return list(read)
        gap_one = i < len(one) and is_gap(one[i])
        gap_other = j < len(other) and is_gap(other[j])
        if gap_one:
            go(i + 1, j, read)
        if gap_other:
            go(i, j + 1, read)
        if i < len(one) and j < len(other) and not (gap_one and gap_other):
            item = common(one[i], other[j])
            if item is not None:
                go(i + (not gap_one), j + (not gap_other), (*read, item))
    return None


def _common_segment(one: Segment, other: Segment) -> str | None:
    if one is None or other is None:
        return _example(other if one is None else one)
    if isinstance(one, str):
        return _of_text(one, other)
    if isinstance(other, str):
        return _of_text(other, one)
    if one.atoms is None or other.atoms is None:
        return None
    characters = _walk(one.atoms, other.atoms, lambda atom: atom == STAR, _common_character)
    return None if characters is None else "".join(characters)


def _of_text(text: str, other: str | Glob) -> str | None:
    fits = text == other if isinstance(other, str) else other.expression.fullmatch(text) is not None
    return text if fits else None


def _common_character(one: str, other: str) -> str | None:
    if one in (ANY, STAR):
        return _SOME if other in (ANY, STAR) else other
    return one if other in (ANY, STAR, one) else None


def _example(segment: Segment) -> str | None:
    if isinstance(segment, Glob):
        if segment.atoms is None:
            return None
        return "".join(_SOME if atom == ANY else atom for atom in segment.atoms if atom != STAR)
    return segment
