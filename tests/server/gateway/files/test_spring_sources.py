"""Where Spring's configuration stands: properties, profiles, placeholders, several files, indexed keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.gateway import GatewayFile, RouteError, RouteTable, Wishes, load_gateway_file, parse_spring_yaml
from tests.support.requests import get

PROPERTIES = r"""
# routes as a properties file
spring.application.name=edge
server.port : 12170
spring.cloud.gateway.routes[0].id=${spring.application.name}-push
spring.cloud.gateway.routes[0].uri=lb:ws://WEB-SOCKET
spring.cloud.gateway.routes[0].predicates[0]=Path=/ws/**
spring.cloud.gateway.routes[0].filters[0]=RewritePath=/ws/(?<segment>.*), \
    /$\\{segment}
spring.cloud.gateway.routes[0].filters[1].name=AddRequestHeader
spring.cloud.gateway.routes[0].filters[1].args._genkey_0=X-A
spring.cloud.gateway.routes[0].filters[1].args[_genkey_1]=b
spring.cloud.gateway.routes[1].id=info
spring.cloud.gateway.routes[1].uri=lb://WEB-SOCKET
spring.cloud.gateway.routes[1].predicates= Path=/info/**
spring.cloud.gateway.routes[1].metadata.connect-timeout=300
"""


def leads(read: GatewayFile, path: str) -> tuple[str, str]:
    """The service behind the route that takes a path, and what it is asked for."""
    found = RouteTable(read.routes).find(get(path))
    assert found is not None, path
    return found.upstream.service or found.upstream.host, found.path_for(get(path))


def test_a_properties_file(tmp_path: Path) -> None:
    file = tmp_path / "application.properties"
    file.write_text(PROPERTIES, "utf-8")
    read = load_gateway_file(file)
    assert (read.port, read.name, read.warnings) == (12170, "edge", ())
    assert leads(read, "/ws/a") == ("WEB-SOCKET", "/a")
    assert [route.id for route in read.routes] == ["edge-push", "info"]
    first, second = RouteTable(read.routes).routes
    assert first.request_headers(get("/ws/a"), []) == [(b"x-a", b"b")]
    assert second.timeouts.connect_s == 0.3
    assert read.routes[0].line == 5


@pytest.mark.parametrize(
    "text",
    [
        "spring.cloud.gateway.routes[0]:\n  id: a\n  uri: lb://a\n  predicates[0]: Path=/a/**",
        "spring:\n  cloud.gateway:\n    routes:\n      0: {id: a, uri: lb://a, predicates: Path=/a/**}",
        "spring.cloud.gateway.mvc.routes: [{id: a, uri: lb://a, predicates: [Path=/a/**]}]",
        "spring.cloud.gateway.server.webmvc.routes: [{id: a, uri: lb://a, predicates: [Path=/a/**]}]",
        "spring.cloud.gateway.server.webflux:\n  routes[0]: {id: a, uri: LB://a, predicates: [Path=/a/**]}",
        "spring.cloud.gateway.routes:\n- id: a\n  uri: lb:ws://a:8080/\n  predicates:\n"
        "  - name: Path\n    args[pattern]: /a/**",
        "spring_x: 1\nspring.cloud.gateway.routes: [{ID: a, URI: lb://a, Predicates: [Path=/a/**]}]",
    ],
)
def test_spellings(text: str) -> None:
    assert leads(parse_spring_yaml(text), "/a/b") == ("a", "/a/b")


PROFILES = """
spring.profiles.active: local
spring.profiles.group.all: [one, two]
---
spring.config.activate.on-profile: local
spring.cloud.gateway.routes: [{id: a, uri: lb://local, predicates: [Path=/**]}]
---
spring.config.activate.on-profile: "prod & !cloud"
spring.cloud.gateway.routes: [{id: a, uri: lb://prod, predicates: [Path=/**]}]
---
spring.profiles: old, older
spring.cloud.gateway.routes: [{id: a, uri: lb://old, predicates: [Path=/**]}]
---
spring.config.activate.on-profile: [one, two]
spring.cloud.gateway.routes: [{id: a, uri: lb://group, predicates: [Path=/**]}]
"""


@pytest.mark.parametrize(
    ("environment", "profiles", "service"),
    [
        ({}, (), "local"),
        ({"SPRING_PROFILES_ACTIVE": "prod"}, (), "prod"),
        ({"SPRING_PROFILES_ACTIVE": "prod"}, ("older",), "old"),
        ({}, ("all",), "group"),
    ],
)
def test_profiles(environment: dict[str, str], profiles: tuple[str, ...], service: str) -> None:
    read = parse_spring_yaml(PROFILES, environment=environment, wishes=Wishes(profiles=profiles))
    assert leads(read, "/x")[0] == service
    assert len(read.warnings) == 3  # the documents that do not count


def test_a_profile_that_leads_nowhere_is_the_last_warning(tmp_path: Path) -> None:
    file = tmp_path / "application.yml"
    file.write_text(PROFILES, "utf-8")
    read = load_gateway_file(file, wishes=Wishes(profiles=("prod", "cloud")))
    assert read.routes == () and "has no routes" in read.warnings[-1]


def test_a_profile_expression_that_is_none() -> None:
    with pytest.raises(RouteError, match=r"^application\.yml:1: .*no expression of profiles"):
        parse_spring_yaml("spring.config.activate.on-profile: 'a & | b'")


def test_several_files_and_those_beside_them(tmp_path: Path) -> None:
    one, two = tmp_path / "bootstrap.yml", tmp_path / "application.yml"
    one.write_text(
        "spring.application.name: edge\nspring.profiles.active: dev\nservices.push: lb://first", "utf-8"
    )
    two.write_text(
        "spring.cloud.gateway.routes:\n"
        "- {id: '${spring.application.name}', uri: '${services.push}', predicates: [Path=/**]}",
        "utf-8",
    )
    beside = tmp_path / "application-dev.properties"
    beside.write_text("services.push=lb://second\nserver.port=12170\n", "utf-8")
    read = load_gateway_file(one, two)
    assert (leads(read, "/x")[0], read.routes[0].id, read.port) == ("second", "edge", 12170)
    assert read.routes[0].source == str(two)
    assert leads(load_gateway_file(one, two, wishes=Wishes(profiles=("x",))), "/x")[0] == "first"


PLACED = """
services: {push: 'lb://${name}', prefix: '${PREFIX:${other.prefix:/ws}}', loop: '${services.loop}'}
name: ${NAME:web-socket}
spring.cloud.gateway.routes:
- id: ${services.push}-${NOTHING}
  uri: ${services.push}
  predicates: ['Path=${services.prefix}/**']
  filters: ['RewritePath=${services.prefix}/(?<segment>.*), /$\\{segment}', 'SetRequestHeader=A, ${B:}x']
"""


@pytest.mark.parametrize(
    ("environment", "path", "service"),
    [
        ({}, "/ws/a", "web-socket"),
        ({"PREFIX": "/p", "NAME": "n"}, "/p/a", "n"),
        ({"OTHER_PREFIX": "/o", "SERVICES_PUSH": "lb://s"}, "/o/a", "s"),
    ],
)
def test_placeholders(environment: dict[str, str], path: str, service: str) -> None:
    read = parse_spring_yaml(PLACED, environment=environment)
    assert leads(read, path) == (service, "/a")


def test_placeholders_without_an_end_or_without_a_value() -> None:
    route = "spring.cloud.gateway.routes: [{id: a, uri: '%s', predicates: [Path=/**]}]\na: ${b}\nb: ${a}"
    with pytest.raises(RouteError, match="without an end"):
        parse_spring_yaml(route % "${a}")
    read = parse_spring_yaml(route % "${my.service-url}")
    assert any("set the environment variable MY_SERVICEURL" in warning for warning in read.warnings)


def test_scalars_for_lists_and_two_routes_of_one_id() -> None:
    read = parse_spring_yaml(
        "spring.cloud.gateway.routes:\n"
        "- {id: a, uri: lb://a_b, predicates: Path=/a/**, filters: 'StripPrefix=1, PreserveHostHeader'}\n"
        "- {id: a, uri: lb://b, predicates: 'Path=/b/**,Method=GET'}\n"
    )
    assert (leads(read, "/a/x"), leads(read, "/b/x")) == (("a_b", "/x"), ("b", "/b/x"))
    assert RouteTable(read.routes).routes[0].filters.preserve_host
    assert RouteTable(read.routes).find(get("/b/x", method="POST")) is None
    assert "another route with the id 'a'" in read.warnings[0]


def test_files_that_a_file_imports_are_read(tmp_path: Path) -> None:
    main, env, routes = tmp_path / "application.yml", tmp_path / ".env", tmp_path / "routes.yml"
    main.write_text(
        "spring.config.import:\n- optional:file:./.env[.properties]\n- classpath:routes.yml\n"
        "- optional:file:none.yml\n- file:gone.yml\n- 'optional:configserver:http://localhost:8888'\n"
        "server.port: 1\n"
    )
    env.write_text("PUSH=lb://push\n")
    routes.write_text(
        "spring.config.import: application.yml\nserver.port: 2\n"
        "spring.cloud.gateway.routes: [{id: a, uri: '${PUSH}', predicates: [Path=/a]}]\n"
    )
    read = load_gateway_file(main)
    assert (read.port, [route.uri for route in read.routes]) == (2, ["lb://push"])
    told = [warning for warning in read.warnings if "config.import" in warning]
    assert len(told) == 2
    assert "file:gone.yml is not read" in told[0] and "configserver:http://localhost:8888 is not" in told[1]
