"""Patterns of routes against references that try every way; what covers, covers indeed."""

from __future__ import annotations

import functools

from hypothesis import assume, given
from hypothesis import strategies as st

from server.gateway.routing.hosts import HostPattern
from server.gateway.routing.path_filters import rewrite_path
from server.gateway.routing.paths import PathPattern
from server.gateway.routing.request import RouteRequest
from server.gateway.routing.routes import RouteTable, route_spec

#: Few characters, so that patterns and paths meet.
atoms = st.sampled_from(["a", "b", "?", "*", "{v}", "{v:a+}", "-"])
segments = st.one_of(st.just(""), st.lists(atoms, min_size=1, max_size=3).map("".join))
endings = st.sampled_from(["", "/**", "/{*rest}"])
parts = st.lists(st.text("ab-", max_size=3), max_size=4)
paths = parts.map(lambda found: "/" + "/".join(found))


def named(text: str) -> str:
    """Each variable with a name of its own."""
    for number in range(text.count("{v")):
        text = text.replace("{v", f"{{w{number}", 1)
    return text


@st.composite
def patterns(draw: st.DrawFn) -> PathPattern:
    text = "".join("/" + x for x in draw(st.lists(segments, max_size=3))) + draw(endings)
    assume("**" not in text.removesuffix("/**"))
    return PathPattern(named(text) or "/", draw(st.booleans()))


def pieces(segment: str) -> tuple[str, ...]:
    """Characters, "?", "*", "v" for a variable, "V" for one of a's."""
    found: list[str] = []
    while segment:
        if segment[0] == "{":
            found.append("V" if ":" in segment.partition("}")[0] else "v")
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
    if first in "*v":
        return any(fits(rest, text[n:]) for n in range(len(text) + 1))
    if first == "V":
        return any(fits(rest, text[n:]) and set(text[:n]) == {"a"} for n in range(1, len(text) + 1))
    return bool(text) and first in ("?", text[0]) and fits(rest, text[1:])


def takes(segment: str, text: str) -> bool:
    """Spring's rule: what is not literal takes no empty segment."""
    variable = set(segment) & set("*?{")
    return (bool(text) or not variable) and fits(pieces(segment), text)


def reference(pattern: PathPattern, path: str) -> bool:
    text = pattern.pattern
    rest = text.endswith(("/**", "/{*rest}"))
    wanted = text.removesuffix("/**").removesuffix("/{*rest}").split("/")[1:]
    found = path.split("/")[1:]
    if rest:
        return len(found) >= len(wanted) and all(map(takes, wanted, found))
    if wanted[-1] == "*" and found[-1:] == [""] and len(found) == len(wanted):
        return all(map(takes, wanted[:-1], found))
    if pattern.trailing_slash and wanted[-1] and found[-1:] == [""] and len(found) == len(wanted) + 1:
        found.pop()
    return len(found) == len(wanted) and all(map(takes, wanted, found))


@given(patterns(), paths)
def test_a_path_pattern_takes_what_the_reference_takes(pattern: PathPattern, path: str) -> None:
    expected = reference(pattern, path)
    assert (pattern.match(path) is not None) is expected
    assert pattern.takes(path) is expected


@given(patterns(), patterns(), paths)
def test_a_pattern_that_covers_another_takes_all_that_it_takes(
    one: PathPattern, other: PathPattern, path: str
) -> None:
    if one.covers(other) and other.takes(path):
        assert one.takes(path)


hosts = st.lists(st.text("ab-", min_size=1, max_size=3), min_size=1, max_size=4).map(".".join)
host_atoms = st.sampled_from(["a", "b", "?", "*", "{v}", "-"])
host_segments = st.one_of(st.just("**"), st.lists(host_atoms, min_size=1, max_size=3).map("".join))


@st.composite
def host_patterns(draw: st.DrawFn) -> HostPattern:
    listed = draw(
        st.lists(host_segments.filter(lambda x: x == "**" or "**" not in x), min_size=1, max_size=4)
    )
    return HostPattern(named(".".join(listed)))


def host_reference(wanted: list[str], found: list[str]) -> bool:
    if not wanted:
        return not found
    if wanted[0] == "**":
        return any(host_reference(wanted[1:], found[n:]) for n in range(len(found) + 1))
    if not found or not host_reference(wanted[1:], found[1:]):
        return False
    return segment_of_host(pieces(wanted[0]), found[0])


def segment_of_host(atoms: tuple[str, ...], text: str) -> bool:
    """As ``fits``, but a variable of a host takes one character at least."""
    if "v" not in atoms:
        return fits(atoms, text)
    place = atoms.index("v")
    return any(
        fits(atoms[:place], text[:start]) and segment_of_host(atoms[place + 1 :], text[end:])
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
    )


@given(host_patterns(), hosts)
def test_a_host_pattern_takes_what_the_reference_takes(pattern: HostPattern, host: str) -> None:
    expected = host_reference(pattern.pattern.split("."), host.split("."))
    assert (pattern.match(host) is not None) is expected


@given(host_patterns(), host_patterns(), hosts)
def test_a_host_pattern_that_covers_another_takes_all_that_it_takes(
    one: HostPattern, other: HostPattern, host: str
) -> None:
    if one.covers(other) and other.match(host) is not None:
        assert one.match(host) is not None


conditions = st.sampled_from(
    [
        "Path=/**",
        "Path=/a/**",
        "Path=/a/{x},/b",
        "Path=/{x}",
        "Method=GET",
        "Method=GET,POST",
        "Header=x",
        "Header=x, a",
        "Query=q",
        "Query=q, a",
        "Cookie=c, a",
        "RemoteAddr=10.0.0.0/8",
        "RemoteAddr=10.0.0.1",
        "Host=**.a",
        "Host=b.a",
        "After=0",
        "Before=0",
    ]
)
requests = st.builds(
    RouteRequest,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/", "/a", "/a/b", "/b"]),
    st.sampled_from([b"", b"q=a", b"q=b"]),
    st.lists(
        st.sampled_from([(b"x", b"a"), (b"x", b"b"), (b"cookie", b"c=a"), (b"host", b"b.a")]), max_size=3
    ),
    st.sampled_from(["10.0.0.1", "10.0.0.2", "1.1.1.1"]),
)


@given(st.lists(conditions, min_size=1, max_size=3), st.lists(conditions, min_size=1, max_size=3), requests)
def test_a_route_that_is_said_to_be_never_reached_is_not(
    first: list[str], second: list[str], request: RouteRequest
) -> None:
    table = RouteTable([route_spec("first", "lb://a", first), route_spec("second", "lb://b", second)])
    found = table.find(request)
    if any("route 'second' is never reached" in warning for warning in table.warnings):
        assert found is None or found.id == "first"


@given(
    st.lists(
        st.sampled_from(["a", "b", "/", "(", ")", ".*", "[^/]", "?", "+", "$1", "${n}", "(?<n>"]), max_size=6
    ),
    st.lists(st.sampled_from(["/", "a", "$1", "${n}", r"$\{n}", "\\", "$"]), max_size=3),
    paths,
)
def test_whatever_is_rewritten_is_a_path(regex: list[str], replacement: list[str], path: str) -> None:
    try:
        rewrite = rewrite_path("".join(regex), "".join(replacement))
    except ValueError:
        return
    assert rewrite(path, {}).startswith("/")
