"""Path patterns, RewritePath with Java's replacement syntax, StripPrefix."""

from __future__ import annotations

import pytest

from server.gateway.routing.path_filters import rewrite_path, strip_prefix
from server.gateway.routing.paths import PathPattern


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (
            "/web-socket/**",
            ["/web-socket", "/web-socket/", "/web-socket/ws", "/web-socket/a//b"],
            ["/web-socketx", "/"],
        ),
        ("/**", ["/", "/a", "/a/b"], []),
        ("/a/*", ["/a/b", "/a/b/", "/a/"], ["/a/b/c", "/a"]),
        ("/a?c", ["/abc"], ["/ac", "/a/c"]),
        ("/red/{s}", ["/red/1", "/red/1/"], ["/red", "/red/1/2"]),
        (r"/v{n:\d{1,2}}/x", ["/v1/x", "/v12/x"], ["/v123/x", "/va/x"]),
        ("/f/{*rest}", ["/f", "/f/", "/f/a/b"], ["/fa"]),
        # Parameters are no part of a segment, as with Spring Cloud Gateway 4.2.
        (
            "/web-socket/**",
            ["/web-socket;x=1", "/web-socket;x/ws;y/info", "/web-socket;a;b/ws"],
            ["/web-socket%3Bx"],
        ),
        ("/lit/a", ["/lit/a;x", "/lit;y/a", "/lit/a;", "/lit/a;x/"], ["/lit/;x", "/;x/lit/a"]),
        (r"/re/{n:\d+}", ["/re/12;x"], ["/re/x;12"]),
        ("/q?/x*", ["/q1/xy;z"], ["/q;/x", "/q1/;x"]),
        ("a.b/c", ["/a.b/c"], ["/aXb/c"]),
        ("/*{a}*", ["/x"], ["/"]),
        (r"/{n:.*}/x", ["/a/x"], ["/a/b/x", "//x"]),  # an expression stays in its segment
    ],
)
def test_patterns(pattern: str, matching: list[str], other: list[str]) -> None:
    compiled = PathPattern(pattern)
    assert [path for path in matching if compiled.match(path) is None] == []
    assert [path for path in other if compiled.match(path) is not None] == []


def test_variables_are_captured() -> None:
    pattern = PathPattern("/a/{x}/b/{*rest}")
    assert pattern.match("/a/1/b/2/3") == {"x": "1", "rest": "/2/3"}
    assert pattern.match("/a;p/1;q=/b/2;r/3;") == {"x": "1", "rest": "/2/3"}


@pytest.mark.parametrize("pattern", ["/a/**/b", "/a**", "/{*rest}/a", "/{", "/{a b}", "/{n:[}"])
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        PathPattern(pattern)


@pytest.mark.parametrize(
    ("first", "second", "covered"),
    [
        ("/a/**", "/a/b/**", True),
        ("/a/**", "/a", True),
        ("/a/**", "/a/{x}", True),
        ("/a/**", "/ab/**", False),
        ("/a/b/**", "/a/**", False),
        ("/a/{x}", "/a/{x}", True),
        ("/{x}/**", "/a/**", True),
        ("/*/**", "/*", False),  # a star at the end takes "/" too
        ("/a/*", "/a/{x}", True),
        ("/a/{x}", "/a/*", False),
        (r"/{x:\d+}/**", "/a/**", False),
        ("/*/b", "/a*/b", True),
    ],
)
def test_covering(first: str, second: str, covered: bool) -> None:
    assert PathPattern(first).covers(PathPattern(second)) is covered


@pytest.mark.parametrize(
    ("regex", "replacement", "path", "result"),
    [
        (r"/web-socket/(?<path>.*)", r"/$\{path}", "/web-socket/ws", "/ws"),
        (r"/web-socket/(?<path>.*)", r"/$\{path}", "/web-socket/", "/"),
        (r"/web-socket/(?<path>.*)", r"/$\{path}", "/web-socket", "/web-socket"),
        (r"/push/?(?<rest>.*)", r"/$\{rest}", "/push", "/"),
        (r"/push/?(?<rest>.*)", r"/${rest}", "/push/a%2Fb", "/a%2Fb"),
        (r"/(\w+)/(\w+)", r"/$2/$1", "/a/b", "/b/a"),
        (r"/(\w)", r"/$12", "/a", "/a2"),  # there is no group 12, so it is group 1 and a 2
        (r"a", r"\$-\\", "/a", "/$-\\"),
        (r"(?<=/)x(?!y)", "z", "/xy/x", "/xy/z"),
        (r"^/a(b)?", r"$1", "/a/c", "/c"),
        (r"/a", "", "/a", "/"),
        (r"(a|b)*?", "", "/ab", "/ab"),  # after an empty match Java goes on, Python looks twice
        (r"b*", "-", "/abc", "/-/-a--c-"),
    ],
)
def test_rewrite_path(regex: str, replacement: str, path: str, result: str) -> None:
    assert rewrite_path(regex, replacement)(path, {}) == result


@pytest.mark.parametrize(
    ("regex", "replacement", "words"),
    [
        ("/(a", "b", "regular expression"),
        ("/a", "$", "without a group"),
        ("/a", "$1", "has 0"),
        ("/a", "${x}", "group 'x'"),
        ("/a", "${x", "group 'x'"),
        ("/a", "b\\", "ends with a backslash"),
    ],
)
def test_rewrites_that_are_none(regex: str, replacement: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rewrite_path(regex, replacement)


@pytest.mark.parametrize(
    ("parts", "path", "result"),
    [
        (1, "/a/b/c", "/b/c"),
        (2, "/a/b/c/", "/c/"),
        (1, "//a///b", "/b"),
        (3, "/a/b", "/"),
        (0, "/a//b", "/a/b"),
        (1, "/", "/"),
    ],
)
def test_strip_prefix(parts: int, path: str, result: str) -> None:
    assert strip_prefix(parts)(path, {}) == result
