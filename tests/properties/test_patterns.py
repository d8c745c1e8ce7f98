"""Patterns of mappings against a reference that tries every way through a path."""

from __future__ import annotations

import functools

from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from server.handlers.ambiguity import meeting_point
from server.handlers.patterns import Pattern
from server.handlers.routes import AmbiguousMapping, Routes

#: Few characters, so that patterns and paths meet.
pieces = st.sampled_from(["a", "b", "aa", "?", "*", "{v}", "-", ""])
segments = st.one_of(st.just("**"), st.lists(pieces, min_size=1, max_size=4).map("".join))
paths = st.lists(st.text("ab-", max_size=4), min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """A pattern whose variables have names of their own; at most four in a segment."""
    text = "/" + "/".join(draw(st.lists(segments, min_size=1, max_size=4)))
    for number in range(text.count("{v}")):
        text = text.replace("{v}", f"{{v{number}}}", 1)
    return text.replace("***", "**x")


def parsed(segment: str) -> tuple[str, ...]:
    """Characters, "?", "*", and "+" for a variable."""
    found: list[str] = []
    while segment:
        if segment[0] == "{":
            found.append("+")
            segment = segment.partition("}")[2]
        else:
            found.append(segment[0])
            segment = segment[1:]
    return tuple(found)


@functools.cache
def fits(atoms: tuple[str, ...], text: str) -> bool:
    if not atoms:
        return not text
    first, rest = atoms[0], atoms[1:]
    if first == "*":
        return any(fits(rest, text[n:]) for n in range(len(text) + 1))
    if first == "+":
        return any(fits(rest, text[n:]) for n in range(1, len(text) + 1))
    return bool(text) and first in ("?", text[0]) and fits(rest, text[1:])


def reference(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(reference(pattern[1:], parts[n:]) for n in range(len(parts) + 1))
    return bool(parts) and fits(parsed(pattern[0]), parts[0]) and reference(pattern[1:], parts[1:])


@given(patterns(), paths)
def test_matches_as_the_reference(pattern: str, path: str) -> None:
    expected = reference(tuple(pattern.split("/")), tuple(path.split("/")))
    found = Pattern(pattern).match(path)
    assert (found is not None) is expected


@given(patterns(), paths)
def test_variables_put_back_into_the_pattern_match_the_same_path(pattern: str, path: str) -> None:
    found = Pattern(pattern).match(path)
    if found is None:
        return
    assert set(found) == set(Pattern(pattern).variables)
    assert all(value and "/" not in value for value in found.values())
    filled = pattern
    for name, value in found.items():
        filled = filled.replace(f"{{{name}}}", value)
    assert Pattern(filled).match(path) is not None


@given(patterns(), patterns(), paths)
def test_patterns_meet_where_both_match(one: str, other: str, path: str) -> None:
    first, second = Pattern(one), Pattern(other)
    meeting = meeting_point(first, second)
    if meeting is not None:
        assert first.match(meeting) is not None
        assert second.match(meeting) is not None
    elif first.match(path) is not None:
        assert second.match(path) is None, "they meet there, and no place was found"


@given(patterns(), patterns())
def test_of_two_patterns_at_most_one_is_better(one: str, other: str) -> None:
    first, second = Pattern(one).specificity, Pattern(other).specificity
    assert not (first.beats(second) and second.beats(first))
    assert not first.beats(first)


@given(st.lists(patterns(), min_size=1, max_size=5), paths)
def test_what_was_checked_before_is_not_ambiguous_between_two(texts: list[str], path: str) -> None:
    routes: Routes[str] = Routes()
    try:
        for text in texts:
            routes.add(Pattern(text), text)
        routes.check()
    except UsageError:
        return
    matching = [text for text in texts if Pattern(text).match(path) is not None]
    try:
        found = routes.find(path)
    except AmbiguousMapping:
        assert len(matching) > 1
        return
    assert (found is not None) is bool(matching)
    if found is not None:
        assert found[0] in matching
