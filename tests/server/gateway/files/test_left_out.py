"""What a file asks for and is not to be had here: left out, with its line and what it was to do."""

from __future__ import annotations

import pytest

from server.gateway import Gateway, GatewaySettings, RouteError, RouteTable, Wishes, parse_spring_yaml
from tests.support.requests import get
from tests.support.upstream import exchange, say, scripted_upstream

OWN = """spring.cloud.gateway.routes:
- id: accounts
  uri: http://localhost:12999
  predicates:
  - Path=/api/accounts/**
  filters:
  - AuthenticationFilter
- id: push
  uri: lb:ws://web-socket
  predicates: [Path=/ws/**]
- id: rest
  uri: lb://rest
  predicates: [Path=/api/**]
"""


def test_a_route_with_a_filter_of_somebodys_own_is_closed_and_the_others_are_not() -> None:
    read = parse_spring_yaml(OWN)
    table = RouteTable(read.routes)
    closed, push, rest = (table.find(get(path)) for path in ("/api/accounts/1", "/ws/x", "/api/x"))
    assert closed is not None and closed.closed and closed.id == "accounts"
    assert push is not None and (push.id, push.closed) == ("push", "")
    assert rest is not None and (rest.id, rest.closed) == ("rest", "")
    assert read.warnings == (
        "application.yml:7: route 'accounts': filter 'AuthenticationFilter' is not known here: "
        "route 'accounts', which was to lead Path=/api/accounts/** to http://localhost:12999, is left out",
    )
    assert [(each.route, each.filter) for each in read.left_out] == [("accounts", "")]


@pytest.mark.parametrize(
    "name", ["RequestRateLimiter", "CircuitBreaker", "Hystrix", "TokenRelay", "SaveSession"]
)
@pytest.mark.parametrize("default", [False, True], ids=["route", "default-filters"])
def test_springs_own_filters_that_need_more_are_left_out_and_their_route_stays(
    name: str, default: bool
) -> None:
    route = "\nspring.cloud.gateway.routes:\n- {id: r, uri: lb://a, predicates: [Path=/**]%s}"
    text = f"\nspring.cloud.gateway.default-filters: [{name}=]" if default else ""
    text += route % ("" if default else f", filters: [StripPrefix=1, {{name: {name}, args: {{a: b}}}}]")
    read = parse_spring_yaml(text)
    found = RouteTable(read.routes).find(get("/a/b"))
    assert found is not None and not found.closed
    assert found.path_for(get("/a/b")) == ("/a/b" if default else "/b")
    (warning,) = read.warnings
    assert warning.startswith(f"application.yml:{2 if default else 3}: ") and "it was to" in warning
    assert name in warning
    assert [each.filter for each in read.left_out] == [name]


def test_a_default_filter_that_is_not_known_closes_every_route() -> None:
    text = "spring.cloud.gateway:\n  default-filters: [JwtAuth]\n  routes: "
    text += "[{id: r, uri: lb://a, predicates: Path=/**}]"
    read = parse_spring_yaml(text)
    assert not read.leads_anywhere
    assert read.warnings == (
        "application.yml:2: default-filters: filter 'JwtAuth' is not known here: "
        "every route is left out, as each would have it (--ignore-filter JwtAuth goes without it)",
    )
    ignoring = parse_spring_yaml(text, wishes=Wishes(ignored=frozenset({"JwtAuth"})))
    assert ignoring.leads_anywhere and "as asked for" in ignoring.warnings[0]


@pytest.mark.parametrize(
    "route",
    [
        "{id: r, uri: lb://a, predicates: [Moon=full, Path=/**]}",
        "{id: r, uri: 'forward:/fallback', predicates: [Path=/**]}",
        "{id: r, uri: '${X}', predicates: [Path=/**]}",
        "{id: r, uri: lb://a, predicates: ['Path=${X}/**']}",
        "{id: r, uri: lb://a, predicates: [Path=/**], filters: [RedirectTo=302, http://b]}",
        "{id: r, uri: lb://a}",
    ],
)
def test_whatever_it_is_the_rest_works_and_strict_refuses(route: str) -> None:
    text = f"spring.cloud.gateway.routes:\n- {route}\n- {{id: good, uri: lb://b, predicates: [Path=/b/**]}}"
    read = parse_spring_yaml(text)
    assert [route.id for route in read.routes if not route.closed] == ["good"]
    assert any("application.yml:2:" in warning for warning in read.warnings)
    assert [each.route for each in read.left_out] == ["r"]
    with pytest.raises(RouteError, match=r"^application\.yml:2:"):
        parse_spring_yaml(text, wishes=Wishes(strict=True))


async def test_the_gateway_says_so() -> None:
    async with scripted_upstream(say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as upstream:
        text = OWN.replace("lb://rest", f"http://127.0.0.1:{upstream.port}")
        async with Gateway(parse_spring_yaml(text).onto(GatewaySettings())) as gateway:
            ask = "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            closed = await exchange(gateway.port, ask.format("/api/accounts/1").encode())
            opened = await exchange(gateway.port, ask.format("/api/x").encode())
            routes = await exchange(gateway.port, ask.format("/routes").encode())
    assert closed.startswith(b"HTTP/1.1 404 ") and b"is left out" in closed
    assert opened.endswith(b"ok") and upstream.connections == 1
    assert b'"left_out":[{"route":"accounts"' in routes
    assert b'"warnings":["application.yml:7:' in routes


def test_a_timeout_of_a_route_that_makes_no_sense_is_ignored_as_in_spring() -> None:
    text = (
        "spring.cloud.gateway.routes:\n"
        "- {id: a, uri: 'lb://a', predicates: [Path=/a],\n"
        "   metadata: {response-timeout: soon, connect-timeout: 0}}\n"
        "- {id: b, uri: 'lb://b', predicates: [Path=/b], metadata: {response-timeout: -1}}\n"
    )
    read = parse_spring_yaml(text)
    first, second = read.routes
    assert (first.closed, first.response_timeout_s, first.connect_timeout_s) == ("", None, None)
    assert second.response_timeout_s == 0
    assert [warning.endswith("it is ignored, and the gateway's counts") for warning in read.warnings] == [
        True,
        True,
    ]
    assert "'soon'" in read.warnings[0] and "connect-timeout is more than 0" in read.warnings[1]
    with pytest.raises(RouteError, match="soon"):
        parse_spring_yaml(text, wishes=Wishes(strict=True))


def test_a_route_may_be_one_text() -> None:
    read = parse_spring_yaml(
        "p: /a\nspring.cloud.gateway.routes:\n- a=lb://a, Path=${p}/**, Method=GET\n- b=lb://b, Path=/b\n"
    )
    assert [(each.id, each.uri) for each in read.routes] == [("a", "lb://a"), ("b", "lb://b")]
    assert [str(part) for part in read.routes[0].predicates] == ["Path=/a/**", "Method=GET"]
    with pytest.raises(RouteError, match="a route is written as"):
        parse_spring_yaml("spring.cloud.gateway.routes:\n- a\n")


def test_weights_in_springs_long_form() -> None:
    read = parse_spring_yaml(
        "spring.cloud.gateway.routes:\n- {id: a, uri: 'lb://a', predicates: [{name: Weight, args: "
        "{weight.group: g, weight.weight: 8}}]}\n"
    )
    assert not read.routes[0].closed and not read.warnings
