"""Routes for every registered service, as Spring's discovery.locator makes them."""

from __future__ import annotations

import pytest

from server.discovery import DiscoveryClient, Registration
from server.discovery.app import Discovery
from server.discovery.registry import Registered
from server.gateway import (
    Gateway,
    GatewayFile,
    GatewaySettings,
    RouteError,
    RouteTable,
    Wishes,
    parse_spring_yaml,
)
from server.gateway.routing.locator import Located, LocatorSettings, locate
from server.gateway.routing.spel import Value, evaluate
from tests.support.requests import get
from tests.support.upstream import exchange, say, scripted_upstream

LOCATOR = "spring.cloud.gateway.discovery.locator:\n  enabled: true\n  lower-case-service-id: true\n"
INSTANCES = (
    Registered("i1", "WEB-SOCKET", "127.0.0.1", 8080, metadata={"edge": "true", "version": "v1"}),
    Registered("i2", "web-socket", "127.0.0.1", 8081),
    Registered("o", "orders", "127.0.0.1", 8082),
    Registered("g", "gateway", "127.0.0.1", 7000),
)


def located(read: GatewayFile) -> Located:
    assert read.locator is not None
    return locate(read.locator, INSTANCES, "gateway")


def leads(found: Located, path: str) -> tuple[str, str]:
    route = RouteTable(found.routes).find(get(path))
    return (route.upstream.service, route.path_for(get(path))) if route is not None else ("", "")


def test_every_service_but_the_gateway_has_a_route_by_its_name() -> None:
    read = parse_spring_yaml(LOCATOR)
    assert (read.warnings, read.leads_anywhere) == ((), True)
    found = located(read)
    assert leads(found, "/web-socket/ws/info") == ("web-socket", "/ws/info")
    assert leads(found, "/orders") == ("orders", "/")
    assert leads(found, "/WEB-SOCKET/x") == leads(found, "/gateway/x") == ("", "")


def test_names_as_registered_and_as_eureka_has_them() -> None:
    found = locate(LocatorSettings(), INSTANCES[2:3], "gateway")
    assert [route.id for route in found.routes] == [
        f"ReactiveCompositeDiscoveryClient_{x}" for x in ("ORDERS", "orders")
    ]
    assert leads(found, "/ORDERS/x") == ("ORDERS", "/x")


OWN = (
    LOCATOR
    + """  include-expression: metadata['edge'] == 'true'
  url-expression: "'lb:ws://' + serviceId"
  predicates:
  - name: Path
    args: {pattern: "'/api/' + serviceId + '/**'"}
  - Method='GET'
  filters:
  - name: RewritePath
    args: {regexp: "'/api/' + serviceId + '/?(?<remaining>.*)'", replacement: "'/${remaining}'"}
  - TokenRelay=
"""
)


def test_expressions_predicates_and_filters_of_its_own() -> None:
    read = parse_spring_yaml(OWN)
    assert read.locator is not None
    found = locate(read.locator, INSTANCES[::-1], "gateway")
    assert found.routes == ()  # the service's first instance says nothing of an edge
    found = located(read)
    assert leads(found, "/api/web-socket/a") == ("web-socket", "/a")
    assert leads(found, "/api/orders/a") == ("", "")
    assert found.routes[0].metadata == {"edge": "true", "version": "v1"}
    assert ["TokenRelay" in warning for warning in read.warnings] == [True]


def test_what_is_not_known_locates_nothing() -> None:
    text = LOCATOR + "  filters: [Login='x']\n"
    read = parse_spring_yaml(text)
    assert (read.locator, read.leads_anywhere) == (None, False)
    assert "'Login'" in read.warnings[0]
    with pytest.raises(RouteError, match="Login"):
        parse_spring_yaml(text, wishes=Wishes(strict=True))
    broken = locate(LocatorSettings(include="nothing.at(all"), INSTANCES, "gateway")
    assert broken.routes == () and "nothing.at(all" in broken.warnings[0]


CONTEXT: dict[str, Value] = {"serviceId": "web-socket", "port": 80, "metadata": {"a": "1", "b": "true"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("'/' + serviceId + '/**'", "/web-socket/**"),
        ("'it''s ' + port", "it's 80"),
        ("metadata['a'] == '1' and !(metadata.b eq 'x')", True),
        ("metadata['none'] == null or false", True),
        ("serviceId.startsWith('web') && not serviceId.contains('x')", True),
        ("serviceId.toUpperCase().replace('-', '_')", "WEB_SOCKET"),
        ("serviceId matches '[a-z-]+'", True),
        ("metadata.containsKey('a') ? 'yes' : 'no'", "yes"),
        ("metadata['none'] ?: 'other'", "other"),
        ("metadata.none?.startsWith('x') == true", False),
    ],
)
def test_expressions(text: str, value: Value) -> None:
    assert evaluate(text, CONTEXT) == value


@pytest.mark.parametrize(
    "text", ["", "'", "who", "T(java.lang.Runtime)", "'a'.getClass()", "1 +", "(1", "@bean", "(" * 900]
)
def test_what_is_no_expression_here(text: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        evaluate(text, CONTEXT)


async def test_services_have_routes_as_soon_as_they_register() -> None:
    async with Discovery() as registry:
        settings = parse_spring_yaml(LOCATOR).onto(GatewaySettings(discovery_url=registry.url))
        async with Gateway(settings) as gateway:
            assert gateway.last_words == ""
            async with scripted_upstream(say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as upstream:
                ourselves = Registration("s1", "shop", "127.0.0.1", upstream.port)
                async with DiscoveryClient(registry.url, ourselves, lambda snapshot: None):
                    ask = b"GET /shop/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                    while b"404" in (answer := await exchange(gateway.port, ask)).partition(b"\r\n")[0]:
                        pass
            assert answer.endswith(b"ok")
            assert upstream.heads[0].startswith(b"GET /a HTTP/1.1")
