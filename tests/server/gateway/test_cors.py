"""CORS at the gateway, against what Spring Cloud Gateway 4.2 answered to the same requests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.gateway import Gateway, GatewaySettings, RouteError, parse_spring_yaml
from tests.support.instances import one_instance
from tests.support.upstream import Scripted, exchange, say, scripted_upstream

ROUTES = """
spring.cloud.gateway:
  globalcors:
    cors-configurations:
      '/plain/**': {allowedOrigins: "http://a.example", allowedMethods: "*", allowedHeaders: "*"}
      '[/ws/**]':
        allowed-origins: "http://a.example,http://b.example"
        allowedMethods: [GET, POST]
        allowedHeaders: [x-a, X-B]
        exposedHeaders: X-C
        allowCredentials: true
        maxAge: 10
      '[/star/**]': {allowedOrigins: "*", allowCredentials: true, allowedMethods: "*"}
      '[/any/**]': {allowedOriginPatterns: 'https://*.example:[*]', allowedMethods: '*', allowedHeaders: '*'}
  routes:
  - {id: ws, uri: 'http://127.0.0.1:%(port)d', predicates: ['Path=/ws/**']}
  - {id: any, uri: 'http://127.0.0.1:%(port)d', predicates: ['Path=/plain/**,/star/**,/any/**,/none/**']}
  - {id: post, uri: 'http://127.0.0.1:%(port)d', predicates: ['Path=/ws2/**', Method=POST]}
  - id: own
    uri: http://127.0.0.1:%(port)d
    predicates: ['Path=/own/**']
    filters: ['DedupeResponseHeader=Access-Control-Allow-Origin, RETAIN_LAST']
    metadata:
      cors: {allowedOrigins: 'http://own.example', allowedMethods: [GET], maxAge: 5, allowCredentials: true}
"""
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: http://up.example\r\n"
    b"Vary: Origin\r\n\r\nok"
)
VARY = ["vary: Origin", "vary: Access-Control-Request-Method", "vary: Access-Control-Request-Headers"]


@pytest.fixture
async def upstream() -> AsyncIterator[Scripted]:
    async with scripted_upstream(say(ANSWER)) as running:
        yield running


@pytest.fixture
async def gateway(upstream: Scripted) -> AsyncIterator[Gateway]:
    settings = parse_spring_yaml(ROUTES % {"port": upstream.port}).onto(GatewaySettings())
    async with Gateway(settings) as running:
        yield running


async def asked(
    gateway: Gateway, method: str, path: str, origin: str, *more: str, host: str = "localhost"
) -> tuple[int, list[str]]:
    """The status and the headers that CORS is about."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *more]
    lines += [f"Origin: {origin}"] if origin else []
    answer = await exchange(gateway.port, "\r\n".join([*lines, "", ""]).encode())
    first, *rest = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return int(first.split(" ")[1]), [x for x in rest if x.lower().startswith(("access-control", "vary"))]


GRANTED = ["access-control-expose-headers: X-C", "access-control-allow-credentials: true"]


@pytest.mark.parametrize(
    ("path", "origin", "method", "headers", "status", "said"),
    [
        (
            "/ws/x",
            "http://a.example",
            "GET",
            "",
            200,
            [
                "access-control-allow-origin: http://a.example",
                "access-control-allow-methods: GET,POST",
                *GRANTED,
                "access-control-max-age: 10",
            ],
        ),
        (
            "/ws/x",
            "http://b.example",
            "POST",
            "x-a,x-q",
            200,
            [
                "access-control-allow-origin: http://b.example",
                "access-control-allow-methods: GET,POST",
                "access-control-allow-headers: x-a",
                *GRANTED,
                "access-control-max-age: 10",
            ],
        ),
        ("/ws/x", "http://a.example", "GET", "x-q", 403, []),
        ("/ws/x", "http://a.example", "PUT", "", 403, []),
        ("/ws/x", "http://z.example", "GET", "", 403, []),
        ("/ws/x", "null", "GET", "", 403, []),
        ("/plain/x", "http://a.example", "GET", "", 403, []),  # Spring drops a key without brackets
        ("/none/x", "http://a.example", "GET", "", 403, []),
        ("/nope/x", "http://a.example", "GET", "", 403, []),
        ("/ws2/x", "http://a.example", "POST", "", 403, []),
        (
            "/own/x",
            "http://own.example",
            "GET",
            "",
            200,
            [
                "access-control-allow-origin: http://own.example",
                "access-control-allow-methods: GET",
                "access-control-allow-credentials: true",
                "access-control-max-age: 5",
            ],
        ),
        (
            "/any/x",
            "https://b.example:8443",
            "PUT",
            "A",
            200,
            [
                "access-control-allow-origin: https://b.example:8443",
                "access-control-allow-methods: PUT",
                "access-control-allow-headers: A",
            ],
        ),
        ("/ws/x", "http://localhost", "GET", "", 200, []),
    ],
)
async def test_preflights(
    gateway: Gateway,
    upstream: Scripted,
    path: str,
    origin: str,
    method: str,
    headers: str,
    status: int,
    said: list[str],
) -> None:
    more = [f"Access-Control-Request-Headers: {headers}"] if headers else []
    answered = await asked(
        gateway, "OPTIONS", path, origin, f"Access-Control-Request-Method: {method}", *more
    )
    assert answered == (status, [*VARY, *said])
    assert upstream.connections == 0


@pytest.mark.parametrize(
    ("method", "path", "origin", "status", "said"),
    [
        (
            "GET",
            "/ws/x",
            "http://a.example",
            200,
            ["access-control-allow-origin: http://a.example", *GRANTED],
        ),
        ("GET", "/ws/x", "http://z.example", 403, []),
        ("PUT", "/ws/x", "http://a.example", 403, []),
        ("GET", "/ws/x", "", 200, []),
        ("GET", "/ws/x", "http://localhost", 200, []),
        ("GET", "/none/x", "http://a.example", 200, []),
        (
            "GET",
            "/star/x",
            "http://z.example",
            200,
            ["access-control-allow-origin: http://z.example", "access-control-allow-credentials: true"],
        ),
    ],
)
async def test_requests(
    gateway: Gateway, method: str, path: str, origin: str, status: int, said: list[str]
) -> None:
    theirs = ["access-control-allow-origin: http://up.example"] if status == 200 else []
    assert await asked(gateway, method, path, origin) == (status, [*VARY, *said, *theirs])


async def test_a_filter_chooses_among_what_gateway_and_service_say(gateway: Gateway) -> None:
    status, said = await asked(gateway, "GET", "/own/x", "http://own.example")
    origins = [line for line in said if line.startswith("access-control-allow-origin")]
    assert (status, origins) == (200, ["access-control-allow-origin: http://up.example"])


HANDSHAKE = (
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Connection: Upgrade",
)


async def test_handshakes(gateway: Gateway, upstream: Scripted) -> None:
    refused, _ = await asked(gateway, "GET", "/ws/x", "http://z.example", *HANDSHAKE)
    assert (refused, upstream.connections) == (403, 0)
    _, said = await asked(gateway, "GET", "/ws/x", "http://a.example", *HANDSHAKE)
    assert "access-control-allow-origin: http://a.example" in said


async def test_without_a_word_about_cors_services_answer_for_themselves(upstream: Scripted) -> None:
    text = "spring.cloud.gateway.routes: [{id: r, uri: 'http://127.0.0.1:%d', predicates: [Path=/**]}]"
    async with Gateway(parse_spring_yaml(text % upstream.port).onto(GatewaySettings())) as gateway:
        said = await asked(gateway, "OPTIONS", "/x", "http://a.example", "Access-Control-Request-Method: GET")
    assert said == (200, ["access-control-allow-origin: http://up.example", "vary: Origin"])


async def test_preflights_for_paths_that_no_route_takes_on_demand() -> None:
    text = """spring.cloud.gateway.globalcors:
  add-to-simple-url-handler-mapping: true
  corsConfigurations: {'[/**]': {allowedOriginPatterns: '*', allowedMethods: '*'}}
"""
    async with Gateway(parse_spring_yaml(text).onto(GatewaySettings())) as gateway:
        status, said = await asked(
            gateway, "OPTIONS", "/x", "http://a.example", "Access-Control-Request-Method: POST"
        )
    assert (status, said[3]) == (200, "access-control-allow-origin: http://a.example")


@pytest.mark.parametrize("more", ["", ", RemoveRequestHeader=Origin"])
@pytest.mark.parametrize("path", ["/test?username=joe", "/info", "/metrics", "/%69nfo", "/push"])
async def test_globalcors_opens_nothing_of_an_instance_but_its_endpoint(path: str, more: str) -> None:
    async with one_instance(allowed_origins=("*",)) as instance:
        text = f"""spring.cloud.gateway:
  globalcors.corsConfigurations:
    '[/**]': {{allowedOriginPatterns: '*', allowedMethods: '*', allowedHeaders: '*', allowCredentials: true}}
  routes: [{{id: r, uri: '{instance.url}', predicates: [Path=/i/**], filters: [StripPrefix=1{more}]}}]
"""
        async with Gateway(parse_spring_yaml(text).onto(GatewaySettings())) as gateway:
            method = "POST" if path == "/push" else "GET"
            body = ("Content-Type: application/json", "Content-Length: 0") if path == "/push" else ()
            status, _ = await asked(gateway, method, f"/i{path}", "http://evil.example", *body)
            assert status == 403
            status, said = await asked(gateway, "GET", "/i/ws/info", "http://evil.example")
    assert status == 200
    assert said[3] == "access-control-allow-origin: http://evil.example"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("'[/a**]': {allowedOrigins: x}", "globalcors"),
        ("'[/**]': {allowCredentials: maybe}", "allowCredentials is true or false"),
        ("'[/**]': {maxAge: soon}", "maxAge takes a duration"),
    ],
)
def test_wrong_values(text: str, words: str) -> None:
    with pytest.raises(RouteError, match=words):
        parse_spring_yaml(f"spring.cloud.gateway.globalcors.cors-configurations:\n  {text}")
