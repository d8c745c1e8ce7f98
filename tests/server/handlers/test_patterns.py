"""Patterns of mappings: what they match, and which of two is the better one."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from server.handlers.patterns import LONGEST_SEGMENT, MOST_SEGMENTS, Pattern, combine


@pytest.mark.parametrize(
    ("pattern", "path", "variables"),
    [
        ("/a", "/a", {}),
        ("a", "/a", {}),
        ("/a", "/a/", None),
        ("/a", "/A", None),
        ("/a/?", "/a/b", {}),
        ("/a/?", "/a/", None),
        ("/a/?", "/a/bc", None),
        ("/a/*", "/a/b", {}),
        ("/a/*", "/a/", {}),
        ("/a/*", "/a", None),
        ("/a/*", "/a/b/c", None),
        ("/a/b*d", "/a/bccd", {}),
        ("/a/b*d*", "/a/bd", {}),
        ("/a/*b*c", "/a/xbxbxc", {}),
        ("/a/*b*c", "/a/xcxb", None),
        ("/a/*b?", "/a/bbb", {}),
        ("/a/**", "/a", {}),
        ("/a/**", "/a/", {}),
        ("/a/**", "/a/b/c", {}),
        ("/a/**", "/ab", None),
        ("/**/z", "/z", {}),
        ("/**/z", "/a/b/z", {}),
        ("/**/z", "/a/b/z/y", None),
        ("/a/**/z/**/x", "/a/z/z/b/x", {}),
        ("/**", "/", {}),
        ("/room/{id}", "/room/7", {"id": "7"}),
        ("/room/{id}", "/room/", None),
        ("/room/{id}", "/room/7/8", None),
        ("/{a}/{b}", "/x/y", {"a": "x", "b": "y"}),
        ("/{a}-{b}", "/x-y-z", {"a": "x-y", "b": "z"}),
        (r"/{year:\d{4}}/{rest}", "/2024/x", {"year": "2024", "rest": "x"}),
        (r"/{year:\d{4}}", "/20245", None),
        ("/{x:.+}", "/a/b", None),
        ("/{x:a|b}c", "/bc", {"x": "b"}),
        ("/**/{last}", "/a/b/c", {"last": "c"}),
        ("/a.b(c)+", "/a.b(c)+", {}),
        ("/a.b/*", "/axb/c", None),
    ],
)
def test_what_a_pattern_matches(pattern: str, path: str, variables: dict[str, str] | None) -> None:
    assert Pattern(pattern).match(path) == variables


@pytest.mark.parametrize(
    ("pattern", "path", "variables"),
    [
        ("pre.foo", "pre.foo", {}),
        ("room.{id}.say", "room.7.say", {"id": "7"}),
        ("room.*", "room.a/b", {}),
        ("room.*", "room.a.b", None),
        ("room.**", "room", {}),
        ("{x:[a-z.]+}", "a", {"x": "a"}),
    ],
)
def test_dots_separate_where_that_is_set(pattern: str, path: str, variables: dict[str, str] | None) -> None:
    assert Pattern(pattern, ".").match(path) == variables


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("/a/b", "/a/{x}"),
        ("/a/{x}", "/a/*"),
        ("/a/{x}", "/{y}/{x}"),
        ("/a/{x}/{y}/{z}", "/a/**"),
        ("/a/b/**", "/a/**"),
        ("/a/{x}/**", "/a/**"),
        ("/**/x", "/**"),
        ("/longer/{x}", "/{y}/x"),
        ("/a/x*", "/a/*"),
    ],
)
def test_the_more_specific_pattern_is_the_better_one(better: str, worse: str) -> None:
    one, other = Pattern(better).specificity, Pattern(worse).specificity
    assert one.beats(other)
    assert not other.beats(one)


def test_equal_patterns_do_not_beat_each_other() -> None:
    one, other = Pattern("/a/{x}").specificity, Pattern("/{y}/a").specificity
    assert not one.beats(other)
    assert not other.beats(one)
    assert Pattern("/a/{x}").signature == Pattern("/a/{y}").signature != Pattern("/a/{x:b}").signature


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("/{a}/{a}", "twice"),
        ("/{a", "braces"),
        ("/a}", "braces"),
        ("/{}", "no name"),
        ("/{*rest}", "no name"),
        ("/{a:(}", "wrong"),
        ("/{a:(b)}", "groups"),
        ("/{a}{b}{c}{d}{e}", "more than"),
    ],
)
def test_what_is_no_pattern_is_told(pattern: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Pattern(pattern)


def test_paths_of_clients_are_bounded() -> None:
    assert Pattern("/a/*").match("/a/" + "x" * LONGEST_SEGMENT) == {}
    assert Pattern("/a/*").match("/a/" + "x" * (LONGEST_SEGMENT + 1)) is None
    assert Pattern("/a/**").match("/a" + "/b" * (MOST_SEGMENTS - 2)) == {}
    assert Pattern("/a/**").match("/a" + "/b" * MOST_SEGMENTS) is None


def test_no_path_takes_long() -> None:
    # As much as a client may send: each of these would take years if a match went back everywhere.
    assert Pattern("/*a*a*a*a*a*a*a*a*b").match("/" + "a" * LONGEST_SEGMENT) is None
    assert Pattern("/**/a/**/a/**/a/**/b").match("/a" * (MOST_SEGMENTS - 1)) is None
    assert Pattern("/{w}-{x}-{y}!").match("/" + "-" * LONGEST_SEGMENT) is None


@pytest.mark.parametrize(
    ("outer", "inner", "separator", "both"),
    [
        ("/red", "/blue", "/", "/red/blue"),
        ("/red/", "blue", "/", "/red/blue"),
        ("", "/blue", "/", "/blue"),
        ("/red", "", "/", "/red"),
        ("/red/*", "/blue", "/", "/red/blue"),
        ("/red/**", "/blue", "/", "/red/**/blue"),
        ("red", "blue", ".", "red.blue"),
    ],
)
def test_patterns_of_class_and_method_are_joined(outer: str, inner: str, separator: str, both: str) -> None:
    assert combine(outer, inner, separator) == both
