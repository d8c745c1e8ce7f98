"""Routes: which one takes a path, what is an error, what is never reached."""

from __future__ import annotations

import pytest

from server.gateway import DEFAULT_ROUTES, RouteError, RouteSpec, RouteTable, route_spec
from server.gateway.routing.definition import Part
from server.gateway.routing.routes import Upstream
from tests.support.requests import get


def test_the_default_route_is_the_articles() -> None:
    route = RouteTable(DEFAULT_ROUTES).find(get("/web-socket/ws"))
    assert route is not None
    assert (route.uri, route.path_for(get("/web-socket/ws")), route.path_for(get("/web-socket"))) == (
        "lb://web-socket",
        "/ws",
        "/",
    )
    assert RouteTable(DEFAULT_ROUTES).find(get("/else")) is None


def test_the_first_route_wins_and_order_sorts() -> None:
    table = RouteTable(
        [
            route_spec("all", "lb://a", ["Path=/**"]),
            RouteSpec("special", "lb://b", (Part.shortcut("Path=/b/**"),), order=-1),
        ]
    )
    assert [route.id for route in table.routes] == ["special", "all"]
    assert table.warnings == ()
    found = table.find(get("/b/x"))
    assert found is not None
    assert found.id == "special"


def test_what_is_never_reached_is_warned_about() -> None:
    table = RouteTable(
        [
            route_spec("first", "lb://a", ["Path=/a/**"]),
            route_spec("second", "lb://b", ["Path=/a/b/**"]),
            route_spec("third", "lb://c", ["Path=/a/c,/d"]),
        ]
    )
    assert len(table.warnings) == 1
    assert "route 'second' is never reached: 'first' before it" in table.warnings[0]


def test_all_predicates_hold_and_any_pattern_of_one() -> None:
    table = RouteTable([route_spec("r", "lb://a", ["Path=/a/**, /b/**, true", "Path=/*/x"])])
    assert table.find(get("/a/x")) is not None
    assert table.find(get("/b/x")) is not None
    assert table.find(get("/a/y")) is None


@pytest.mark.parametrize(
    ("uri", "upstream"),
    [
        ("lb://web-socket", Upstream(service="web-socket")),
        ("lb:ws://web-socket", Upstream(service="web-socket")),
        ("http://h", Upstream(host="h", port=80)),
        ("https://h/path/is/ignored", Upstream(host="h", port=443, secure=True)),
        ("ws://h:1", Upstream(host="h", port=1, websocket_only=True)),
    ],
)
def test_uris(uri: str, upstream: Upstream) -> None:
    assert RouteTable([route_spec("r", uri, ["Path=/**"])]).routes[0].upstream == upstream


@pytest.mark.parametrize(
    ("uri", "predicates", "filters", "words"),
    [
        ("lb://a b", ["Path=/**"], [], "invalid host"),
        ("lb://", ["Path=/**"], [], "invalid host"),
        ("file:///etc", ["Path=/**"], [], "not understood"),
        ("http://h:x", ["Path=/**"], [], "uri"),
        ("lb://a", [], [], "has no predicate"),
        ("lb://a", ["Path="], [], "needs a pattern"),
        ("lb://a", ["Path=/**/x"], [], "at the end of a path pattern only"),
        ("lb://a", ["Moon=full"], [], "predicate 'Moon' is not known"),
        ("lb://a", ["Path=/**"], ["Moon=3"], "filter 'Moon' is not known"),
        ("lb://a", ["Path=/**"], ["StripPrefix=x"], "StripPrefix: parts takes a number"),
        ("lb://a", ["Path=/**"], ["RewritePath=/a"], "RewritePath: needs a regular expression"),
        ("lb://a", ["Path=/**"], ["RewritePath=/(a, b"], "RewritePath: regular expression"),
    ],
)
def test_errors_name_the_route(uri: str, predicates: list[str], filters: list[str], words: str) -> None:
    with pytest.raises(RouteError, match=words) as caught:
        RouteTable([route_spec("my-route", uri, predicates, filters)])
    assert "route 'my-route'" in str(caught.value)


def test_ids_are_unique() -> None:
    with pytest.raises(RouteError, match="another route with the id 'r'"):
        RouteTable([route_spec("r", "lb://a", ["Path=/a"]), route_spec("r", "lb://b", ["Path=/b"])])
