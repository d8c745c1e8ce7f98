"""Which handler takes a path, and what is found out before any message comes."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from server.handlers.ambiguity import meeting_point
from server.handlers.patterns import Pattern
from server.handlers.routes import AmbiguousMapping, Routes


def routes(*patterns: str) -> Routes[str]:
    found: Routes[str] = Routes()
    for text in patterns:
        found.add(Pattern(text), f"handler of {text}")
    return found


def test_the_exact_path_comes_first_then_the_best_pattern() -> None:
    found = routes("/a/{x}", "/a/**", "/a/b", "/{y}/{x}")
    found.check()
    assert found.find("/a/b") == ("handler of /a/b", {})
    assert found.find("/a/c") == ("handler of /a/{x}", {"x": "c"})
    assert found.find("/a/c/d") == ("handler of /a/**", {})
    assert found.find("/b/c") == ("handler of /{y}/{x}", {"y": "b", "x": "c"})
    assert found.find("/b") is None


def test_the_same_mapping_twice_fails() -> None:
    with pytest.raises(UsageError, match=r"two handlers for /a/\{y\}"):
        routes("/a/{x}", "/a/{y}")
    with pytest.raises(UsageError, match="two handlers for /a"):
        routes("/a", "a")


def test_ambiguous_patterns_fail_before_any_message() -> None:
    with pytest.raises(UsageError, match="/a/a is matched equally well") as found:
        routes("/a/{x}", "/{y}/a").check()
    assert "a handler of its own" in found.value.hint
    routes("/a/{x}", "/{y}/a", "/a/a").check()  # now it has one
    routes("/a/*b", "/b/*a").check()


def test_what_only_an_expression_knows_is_found_when_the_path_comes() -> None:
    found = routes(r"/{x:\d+}", "/{y:[0-9a-f]+}")
    found.check()
    assert found.find("/ff") == ("handler of /{y:[0-9a-f]+}", {"y": "ff"})
    with pytest.raises(AmbiguousMapping, match="/12"):
        found.find("/12")


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("/a/*", "/*/b", True),
        ("/a*", "/*b", True),
        ("/a*c", "/b*c", False),
        ("/a?c", "/ab?", True),
        ("/a?", "/a", False),
        ("/{x}", "/", False),
        ("/**/a", "/b/**", True),
        ("/a/**/b", "/a/*/c", False),
        ("/a/**/b", "/a/*/*/b", True),
        (r"/{x:\d+}", "/12", True),
        (r"/{x:\d+}", "/ab", False),
    ],
)
def test_where_two_patterns_meet(one: str, other: str, meet: bool) -> None:
    first, second = Pattern(one), Pattern(other)
    path = meeting_point(first, second)
    assert (path is not None) is meet
    if path is not None:
        assert first.match(path) is not None
        assert second.match(path) is not None
