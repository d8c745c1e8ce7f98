"""Spring's YAML as it is: keys, lists, shortcuts and long forms; errors with file and line.

See docs/wire/gateway.md §1.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from server.gateway import (
    Compression,
    GatewayFile,
    GatewaySettings,
    RouteError,
    RouteTable,
    Wishes,
    load_gateway_file,
    parse_spring_yaml,
)
from server.gateway.forwarded import ForwardedRules
from server.gateway.routing.cors import CorsRule, CorsSettings
from tests.support.requests import get

#: As the article prints it, comments and all.
ARTICLE = Path(__file__).with_name("article.yml")


def routed(read: GatewayFile, path: str) -> tuple[str, str]:
    """The route that takes a path, and what upstream is asked for."""
    found = RouteTable(read.routes).find(get(path))
    assert found is not None, path
    return found.id, found.path_for(get(path))


def test_the_articles_configuration_is_read_unchanged_and_routes_as_there() -> None:
    read = load_gateway_file(ARTICLE)
    assert (read.name, read.port, read.warnings) == ("gateway", 7000, ())
    types = ("text/html", "text/css", "application/javascript", "application/json")
    assert read.compression == Compression(enabled=True, mime_types=types)
    assert [route.id for route in read.routes] == ["web-socket", "websocket_sockjs_route", "websocket_route"]
    for path, upstream in (
        ("/web-socket/ws", "/ws"),
        ("/web-socket/ws/info", "/ws/info"),
        ("/web-socket/info", "/info"),
        ("/web-socket/ws/000/abc/websocket", "/ws/000/abc/websocket"),
    ):
        assert routed(read, path) == ("web-socket", upstream)
    # The first route takes all that the other two would: the article never noticed.
    assert RouteTable(read.routes).warnings == tuple(
        f"{ARTICLE}:{line}: route {name!r} is never reached: 'web-socket' (line 14) before it takes "
        f"everything that it would take"
        for line, name in ((21, "websocket_sockjs_route"), (26, "websocket_route"))
    )


NEWER = """
spring.cloud.gateway:
  routes:
  - {id: old, uri: lb://a, predicates: [Path=/a]}
  httpclient.connect-timeout: 1000
  default-filters: [StripPrefix=1]
---
spring.cloud.gateway.server.webflux:
  routes:
  - {id: new, uri: lb://a, predicates: [Path=/a/**]}
  defaultFilters:
  - PrefixPath=/x
"""


def test_the_newer_keys_win_with_one_warning_and_dotted_keys_are_the_same() -> None:
    read = parse_spring_yaml(NEWER)
    assert routed(read, "/a/b") == ("new", "/x/a/b")
    assert read.connect_timeout_s == 1.0  # only the old prefix says it
    assert read.warnings == (
        "application.yml:6: ignored, as spring.cloud.gateway.server.webflux.… says it too: "
        "spring.cloud.gateway.default-filters, spring.cloud.gateway.routes",
    )


LONG = r"""
spring.cloud.gateway.routes:
- uri: lb://a
  order: -3
  predicates:
  - name: Path
    args: {patterns: [/a/**, '/v{n:\d{1,2}}/**']}
  - name: Header
    args: {header: X-A, regexp: 'a{1,2}, b'}
  - name: Query
    args: {_genkey_0: q, _genkey_1: '1'}
  filters:
  - name: RewritePath
    args: {regexp: '/a/(?<x>.*)', replacement: '/${x}'}
  - name: StripPrefix
    args: {parts: 1}
  - StripPrefix
  - name: Retry
    args:
      retries: 2
      statuses: [BAD_GATEWAY, 503]
      methods: GET,POST
      backoff: {firstBackoff: 10ms, max-backoff: 50, factor: 3, basedOnPreviousValue: false}
"""


def test_the_long_form() -> None:
    route = RouteTable(parse_spring_yaml(LONG).routes).routes[0]
    assert (route.id, route.spec.order) == ("route-0", -3)
    assert route.matches(get("/v12/x?q=1", x_a="aa, b"))
    assert not route.matches(get("/v123/x?q=1", x_a="aa, b"))
    assert not route.matches(get("/v12/x", x_a="aa, b"))
    assert route.path_for(get("/a/1/2/3/4")) == "/3/4"
    retry = route.retry
    assert retry is not None
    assert (retry.retries, retry.statuses, retry.methods) == (2, {502, 503}, {"GET", "POST"})
    assert [retry.delay(attempt) for attempt in (1, 2, 3)] == pytest.approx([0.01, 0.03, 0.05])


NOTED = """
spring.cloud.gateway.routes:
- id: off
  enabled: off
  uri: lb://a
  predicates: [Path=/x]
- id: noted
  uri: lb://a
  predicates: [Path=/x]
  metadata:
    connect-timeout: 200
    responseTimeout: -1
    idle-timeout: 90000
    owner: {team: push}
"""


def test_metadata_and_routes_that_are_off() -> None:
    read = parse_spring_yaml(NOTED)
    (route,) = RouteTable(read.routes).routes
    assert (route.timeouts.connect_s, route.timeouts.response_s, route.idle_timeout) == (0.2, 0.0, 90.0)
    assert route.spec.metadata == {
        "connect-timeout": "200",
        "responseTimeout": "-1",
        "idle-timeout": "90000",
        "owner.team": "push",
    }
    assert read.warnings == (
        "application.yml:4: route 'off' is disabled",
        "application.yml:14: route 'noted': metadata 'owner' has no meaning here; /routes shows it",
    )


GENERAL = """
server:
  port: ${PORT:7001}
  compression: {enabled: yes, min-response-size: 1KB, mimeTypes: [text/html, "text/css, a/b"], other: 1}
spring:
  application.name: ${app.name}
  main.web-application-type: reactive
  cloud:
    gateway:
      httpclient: {connectTimeout: 1500, response-timeout: 5s, pool.type: elastic}
      trusted-proxies: 10\\..*
      x-forwarded: {for-append: false, proto-enabled: false}
      forwarded.enabled: false
      globalcors.cors-configurations:
        '[/**]':
          allowedOrigins: "*"
      default-filters:
      - AddRequestHeader=X-Region, ${REGION:eu}
      routes:
      - id: r
        uri: ${TARGET}
        predicates: [Path=/**]
        filters:
        - RewritePath=/a(?<PATH>.*), ${PATH}
"""


def test_what_else_is_understood_and_what_is_not() -> None:
    environment = {"APP_NAME": "gw", "TARGET": "http://h:1", "PATH": "/usr/bin"}
    read = parse_spring_yaml(GENERAL, "a.yml", environment)
    assert (read.port, read.name, read.routes[0].uri) == (7001, "gw", "http://h:1")
    assert routed(read, "/a/b") == ("r", "/b")
    route = RouteTable(read.routes).routes[0]
    assert route.request_headers(get("/"), []) == [(b"x-region", b"eu")]
    settings = read.onto(GatewaySettings(host="127.0.0.9"))
    assert settings == GatewaySettings(
        host="127.0.0.9",
        routes=read.routes,
        connect_timeout_s=1.5,
        response_timeout_s=5.0,
        trusted_proxies=r"10\..*",
        forwarded=ForwardedRules(frozenset(("proto", "forwarded")), frozenset(("for",))),
        compression=Compression(True, ("text/html", "text/css", "a/b"), 1024),
        cors=CorsSettings(rules=(("/**", CorsRule(origins=("*",))),)),
        notes=read.warnings,
    )
    assert [warning.partition(" has no meaning")[0] for warning in read.warnings] == [
        "a.yml:4: server.compression.other",
        "a.yml:7: spring.main.web-application-type",
        "a.yml:10: spring.cloud.gateway.httpclient.pool.type",
    ]


def test_documents_for_profiles_do_not_count_and_mappings_merge() -> None:
    read = parse_spring_yaml(
        """
base: &base {uri: lb://a, filters: [StripPrefix=1]}
spring.cloud.gateway.routes:
- {<<: *base, id: r, predicates: [Path=/**]}
---
spring.config.activate.on-profile: production
server.port: 1
"""
    )
    assert routed(read, "/a/b") == ("r", "/b")
    assert read.port is None
    assert (
        "application.yml:6: spring.config.activate.on-profile: this document is for 'production'"
        in read.warnings[0]
    )


def test_an_empty_list_is_no_routes() -> None:
    assert parse_spring_yaml("spring.cloud.gateway.routes:\nserver.port: 1").routes == ()
    assert parse_spring_yaml("") == GatewayFile(routes=())


def spring(route: str) -> str:
    return "spring.cloud.gateway.routes:\n" + route


def gateway(setting: str) -> str:
    return f"a: 1\nspring.cloud.gateway.{setting}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", r"^application\.yml:\d: not YAML"),
        ("\tx: 1", r"^application\.yml:1: not YAML"),
        ("\n? [a]\n: 1", r"^application\.yml:2: a key is a single value"),
        ("a: 1\na: 2", r"^application\.yml:2: 'a' is there twice"),
        ("a: " + "[" * 5000, r"^application\.yml: is nested too deeply"),
        ("a: &a\n  b: *a", r"is nested too deeply"),
        ('a: "\\UFFFFFFFF"', r"^application\.yml: not YAML"),
        (spring("- id: r\n  predicates: [Path=/a]"), r"^application\.yml:2: route 'r': has no uri"),
        (spring("- id: r\n  uri: lb://a\n  predicates: {a: b}"), r"^application\.yml:4: .* is a list"),
        (spring("- id: r\n  uri: lb://a\n  predicates: [Path]"), r"^application\.yml:4: .* has no '='"),
        (spring("- id: r\n  uri: lb://a\n  predicates:\n  - Moon=x"), r"^application\.yml:5: .*'Moon'"),
        (spring("- id: r\n  uri: lb://a\n  order: first"), r"^application\.yml:4: .*order takes a number"),
        (spring("- id: r\n  uri: lb://a\n  enabled: maybe"), r"^application\.yml:4: .*true or false"),
        (spring("- id: r\n  uri: ${X}"), r"^application\.yml:3: nothing fills \$\{X\}"),
        (spring("- id: r\n  uri: [a]"), r"^application\.yml:3: a single value"),
        (spring("- just text"), r"^application\.yml:2: a route is written"),
        ("spring.cloud.gateway.routes: x", r"^application\.yml:1: routes is a list"),
        (gateway("routes:\n  a: {id: r}"), r"^application\.yml:3: .*written as lists"),
        (gateway("routes[99999].id: r"), r"^application\.yml: .*no place in a list"),
        (gateway("default-filters: [A=b]"), r"^application\.yml:2: default-filters: filter 'A' is not known"),
        (gateway("httpclient.connect-timeout: 0"), r"^application\.yml:2: .*connect-timeout is more than 0"),
        (gateway("httpclient.response-timeout: soon"), r"^application\.yml:2: .*takes a duration"),
        (gateway("trusted-proxies: ("), r"^application\.yml:2: .*trusted_proxies"),
        (gateway("x-forwarded.enabled: maybe"), r"^application\.yml:2: .*x-forwarded.enabled is true or"),
        ("server.port: 70000", r"^application\.yml:1: server.port takes a number"),
        ("server.compression.min-response-size: big", r"^application\.yml:1: .*takes a size"),
        (
            spring("- id: r\n  uri: lb://a\n  filters:\n  - StripPrefix=1\n  - x: 1"),
            r"^application\.yml:6: .*filter without a name",
        ),
        (
            spring("- id: r\n  uri: lb://a\n  metadata:\n    connect-timeout: -1"),
            r"^application\.yml:5: route 'r': connect-timeout is more than 0",
        ),
        (
            spring(
                "- id: r\n  uri: lb://a\n  predicates: [Path=/a]\n  filters:\n  - StripPrefix\n"
                "  - name: CircuitBreaker\n    args: {name: x, fallbackUri: 'forward:/y'}"
            ),
            r"^application\.yml:7: route 'r': filter 'CircuitBreaker' is Spring's, but not offered here",
        ),
    ],
)
def test_errors_name_route_and_line(text: str, words: str) -> None:
    with pytest.raises(RouteError, match=words):
        parse_spring_yaml(text, wishes=Wishes(strict=True))


def test_a_file_of_aliases_has_an_end() -> None:
    doubled = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 15))
    with pytest.raises(RouteError, match="too many keys"):
        parse_spring_yaml(
            doubled
            + "spring.cloud.gateway.routes:\n- {uri: lb://a, predicates: [{name: Path, args: {x: *a14}}]}"
        )
    mapped = "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}\n" for n in range(1, 20)
    )
    with pytest.raises(RouteError, match="too many keys"):
        parse_spring_yaml(mapped)
    with pytest.raises(RouteError, match="merges too much"):
        parse_spring_yaml("a: &a {x: 1}\nb: {<<: [*a, *a, *a, *a]}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RouteError, match="No such file") as caught:
        load_gateway_file(tmp_path / "none.yml")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("g.yml", "spring.cloud.gateway.rutes: []", "spring.cloud.gateway.routes"),
        ("g.toml", "[balance]\nstrategy = 'hash'", "[[routes]]"),
    ],
)
def test_a_file_without_routes_is_warned_about(tmp_path: Path, name: str, text: str, where: str) -> None:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    assert f"has no routes ({where})" in load_gateway_file(file).warnings[-1]
