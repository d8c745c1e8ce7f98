"""Configuration files: Spring's YAML unchanged, our TOML, errors with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.gateway import RouteError, RouteTable, load_gateway_file, parse_spring_yaml, parse_toml
from server.gateway.config import GatewayFile
from tests.support.requests import get

#: As the article prints it, comments and all.
ARTICLE = r"""spring.application.name: gateway

server:
  port: 7000
  compression:
    enabled: true
    mime-types: text/html,text/css,application/javascript,application/json
#spring.resources.static-locations: classpath:/resources/static

spring:
  cloud:
    gateway:
      routes:
      - id: web-socket
        uri: lb://web-socket
        predicates:
        - Path=/web-socket/**
        filters:
        - RewritePath=/web-socket/(?<path>.*), /$\{path}
          # SockJS route
      - id: websocket_sockjs_route
        uri: lb://web-socket
        predicates:
          - Path=/web-socket/info/**
        # Normwal Websocket route
      - id: websocket_route
        uri: lb:ws://web-socket
        predicates:
          - Path=/web-socket/**
"""


def test_the_articles_configuration_is_read_unchanged() -> None:
    read = parse_spring_yaml(ARTICLE)
    assert (read.name, read.port) == ("gateway", 7000)
    assert [route.id for route in read.routes] == ["web-socket", "websocket_sockjs_route", "websocket_route"]
    table = RouteTable(read.routes)
    route = table.find(get("/web-socket/ws"))
    assert route is not None
    assert (route.id, route.path_for(get("/web-socket/ws"))) == ("web-socket", "/ws")
    assert [warning.partition(" ")[0] for warning in (*read.warnings, *table.warnings)] == [
        "application.yml:6:",  # server.compression.enabled
        "application.yml:7:",
        "application.yml:21:",  # both other routes are shadowed by the first
        "application.yml:26:",
    ]
    assert "server.compression.enabled has no meaning here" in read.warnings[0]
    assert "route 'websocket_route' is never reached: 'web-socket' (line 14) before it" in table.warnings[1]


def test_the_newer_key_wins_and_dotted_keys_are_the_same() -> None:
    read = parse_spring_yaml(
        """
spring.cloud.gateway.routes:
- {id: old, uri: lb://a, predicates: [Path=/a]}
---
spring.cloud.gateway:
  server.webflux.routes:
  - {id: new, uri: lb://a, predicates: [Path=/a]}
"""
    )
    assert [route.id for route in read.routes] == ["new"]


def test_the_long_form() -> None:
    read = parse_spring_yaml(
        """
spring.cloud.gateway.routes:
- uri: lb://a
  order: -3
  predicates:
  - name: Path
    args: {patterns: [/a/**, /b/**]}
  filters:
  - name: RewritePath
    args: {regexp: '/a/(?<x>.*)', replacement: '/${x}'}
  - name: StripPrefix
    args: {parts: 1}
  - StripPrefix
- id: off
  enabled: false
  uri: lb://a
  predicates: [Path=/x]
- id: noted
  uri: lb://a
  predicates: [Path=/x]
  metadata: {connect-timeout: 200}
"""
    )
    route = RouteTable(read.routes).routes[0]
    assert (route.id, route.spec.order) == ("route-0", -3)
    assert route.matches(get("/b/x"))
    assert route.path_for(get("/a/1/2/3/4")) == "/3/4"
    assert [route.id for route in read.routes] == ["route-0", "noted"]
    assert [line for line in read.warnings if "disabled" in line or "metadata" in line] == [
        "application.yml:15: route 'off' is disabled",
        "application.yml:21: route 'noted': metadata is ignored",
    ]


def spring(route: str) -> str:
    return "spring.cloud.gateway.routes:\n" + route


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", r"^application\.yml:\d: not YAML"),
        ("\tx: 1", r"^application\.yml:1: not YAML"),
        (spring("- id: r\n  predicates: [Path=/a]"), r"^application\.yml:2: route 'r': has no uri"),
        (spring("- id: r\n  uri: lb://a\n  moon: 1"), r"^application\.yml:4: route 'r': key 'moon'"),
        (spring("- id: r\n  uri: lb://a\n  predicates: Path=/a"), r"^application\.yml:4: .* is a list"),
        (spring("- id: r\n  uri: lb://a\n  predicates: [Path]"), r"^application\.yml:4: .* has no '='"),
        (spring("- id: r\n  uri: lb://a\n  predicates:\n  - Moon=x"), r"^application\.yml:5: .*'Moon'"),
        (spring("- id: r\n  uri: lb://a\n  order: first"), r"^application\.yml:4: .*order is a number"),
        (spring("- id: r\n  uri: [a]"), r"^application\.yml:3: a single value"),
        (spring("- just text"), r"^application\.yml:2: a route is written"),
        ("spring.cloud.gateway.routes: x", r"^application\.yml:1: routes is a list"),
        ("spring.cloud.gateway.default-filters: [A=b]", r"^application\.yml:1: .*not supported"),
        (
            spring("- id: r\n  uri: lb://a\n  filters:\n  - name: StripPrefix\n    arg: 1\n  - x: 1"),
            r"^application\.yml:7: .*filter without a name",
        ),
    ],
)
def test_errors_name_route_and_line(text: str, words: str) -> None:
    with pytest.raises(RouteError, match=words):
        parse_spring_yaml(text)


TOML = r"""
port = 7000

[[routes]]
id = "a"
uri = "lb://a"
predicates = ["Path=/a/**"]
filters = ["RewritePath=/a/(?<x>.*), /$\\{x}"]

[[routes]]
uri = "lb://b"
predicates = ["Path=/a/b"]
"""


def test_toml() -> None:
    read = parse_toml(TOML)
    assert read.port == 7000
    assert [route.id for route in read.routes] == ["a", "route-1"]
    assert RouteTable(read.routes).routes[0].path_for(get("/a/x")) == "/x"
    warning = RouteTable(read.routes).warnings[0]
    assert warning.startswith("gateway.toml:10: route 'route-1' is never reached")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", r"^gateway\.toml: not TOML"),
        ("moon = 1", r"^gateway\.toml: key 'moon'"),
        ("\n[[routes]]\nid = 'r'\nuri = 'lb://a'", r"^gateway\.toml:2: route 'r': .*predicates"),
        (
            "[[routes]]\nid = 'r'\nuri = 'lb://a'\npredicates = ['Moon=1']",
            r"^gateway\.toml:1: route 'r': predicate",
        ),
        (
            "[[routes]]\nuri = 'lb://a'\npredicates = []\nmoon = 1",
            r"^gateway\.toml:1: route 'route-0': .*moon",
        ),
    ],
)
def test_toml_errors(text: str, words: str) -> None:
    with pytest.raises(RouteError, match=words):
        parse_toml(text)


def test_files(tmp_path: Path) -> None:
    for name, text in (("application.yml", ARTICLE), ("gateway.toml", TOML)):
        (tmp_path / name).write_text(text, "utf-8")
        read: GatewayFile = load_gateway_file(tmp_path / name)
        assert read.port == 7000
        assert read.routes[0].source == str(tmp_path / name)
    with pytest.raises(RouteError, match="cannot be read"):
        load_gateway_file(tmp_path / "none.yml")
