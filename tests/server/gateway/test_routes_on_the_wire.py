"""What routes do to requests and answers on the wire: plain ones, upgrades, refused upgrades."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from server.gateway import Gateway, GatewaySettings, load_gateway_file, parse_spring_yaml
from tests.support.upstream import exchange, say, say_and_close, scripted_upstream

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    b"Connection: Upgrade, X-Mine\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: %b\r\n" % KEY
)
PLAIN = b"Connection: close, X-Mine\r\n"
ANSWER = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
    b"X-Dedupe: 1\r\nX-Dedupe: 2\r\nX-Secret: 1\r\n\r\nno"
)

ROUTES = """
spring.cloud.gateway:
  default-filters:
  - DedupeResponseHeader=X-Dedupe, RETAIN_LAST
  routes:
  - id: by-header
    uri: http://127.0.0.1:%(second)d
    predicates:
    - Path=/shop/**
    - Header=X-Beta, yes
    filters:
    - SetPath=/beta
  - id: shop
    uri: http://127.0.0.1:%(first)d
    predicates:
    - Path=/shop/{item}/**
    filters:
    - StripPrefix=1
    - SetRequestHeader=X-Item, {item}
    - RemoveRequestHeader=X-Debug
    - AddResponseHeader=X-By, gateway
    - RemoveResponseHeader=X-Secret
%(more)s
"""


def request(kind: bytes, path: bytes = b"/shop/a%2Fb/c?q=%20") -> bytes:
    return (
        b"GET %b HTTP/1.1\r\nHost: localhost:7000\r\n%bX-Mine: 1\r\nX-Debug: 1\r\nX-Item: 2\r\n"
        b"X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nX-There: 1\r\n" % (path, kind)
    )


def configured(first: int, second: int = 9, more: str = "", other: str = "") -> GatewaySettings:
    text = ROUTES % {"first": first, "second": second, "more": more} + other
    return parse_spring_yaml(text).onto(GatewaySettings())


def headers_of(head: bytes) -> dict[str, str]:
    lines = head.decode().split("\r\n")[1:-2]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


CONNECTION = {
    PLAIN: {},
    UPGRADE: {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": KEY.decode(),
    },
}


@pytest.mark.parametrize("kind", [PLAIN, UPGRADE], ids=["plain", "upgrade"])
async def test_headers_and_path_both_ways(kind: bytes) -> None:
    async with (
        scripted_upstream(say(ANSWER)) as upstream,
        Gateway(configured(upstream.port)) as gateway,
    ):
        answer = await exchange(gateway.port, request(kind) + b"\r\n")
    assert upstream.heads[0].startswith(b"GET /a%2Fb/c?q=%20 HTTP/1.1\r\n")
    assert headers_of(upstream.heads[0]) == {
        "host": f"127.0.0.1:{upstream.port}",
        "x-there": "1",
        "x-item": "a%2Fb",
        "pushscope-client": "elsewhere",  # as X-Forwarded-For said
        **CONNECTION[kind],
    }
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (head.partition(b"\r\n")[0], body) == (b"HTTP/1.1 403 Forbidden", b"no")
    lines = {line.lower() for line in head.split(b"\r\n")[1:]}
    assert {b"x-dedupe: 2", b"x-by: gateway"} <= lines
    names = {line.partition(b":")[0] for line in lines}
    assert not names & {b"x-hop", b"keep-alive", b"x-secret"}
    assert b"x-dedupe: 1" not in lines


@pytest.mark.parametrize("kind", [PLAIN, UPGRADE], ids=["plain", "upgrade"])
async def test_the_clients_host_and_what_trusted_proxies_say(kind: bytes) -> None:
    async with scripted_upstream(say(ANSWER)) as upstream:
        trusted = "spring.cloud.gateway.server.webflux.trusted-proxies: 127\\.0\\.0\\..+\n"
        async with Gateway(
            configured(upstream.port, more="    - PreserveHostHeader", other=trusted)
        ) as gateway:
            await exchange(gateway.port, request(kind) + b"\r\n")
    assert headers_of(upstream.heads[0]) == {
        "host": "localhost:7000",
        "x-there": "1",
        "x-item": "a%2Fb",
        "pushscope-client": "elsewhere",  # as X-Forwarded-For said
        "x-forwarded-for": "10.0.0.1, 127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "localhost:7000",
        "x-forwarded-port": "7000",
        "x-forwarded-prefix": "/shop",
        "forwarded": 'for=10.0.0.1, for=127.0.0.1;host="localhost:7000";proto=http',
        **CONNECTION[kind],
    }


@pytest.mark.parametrize("kind", [PLAIN, UPGRADE], ids=["plain", "upgrade"])
async def test_the_first_route_whose_predicates_hold(kind: bytes) -> None:
    async with (
        scripted_upstream(say(ANSWER)) as first,
        scripted_upstream(say(ANSWER)) as second,
        Gateway(configured(first.port, second.port)) as gateway,
    ):
        await exchange(gateway.port, request(kind) + b"X-Beta: yes\r\n\r\n")
        await exchange(gateway.port, request(kind) + b"X-Beta: no\r\n\r\n")
    assert [head.partition(b"\r\n")[0] for head in second.heads] == [b"GET /beta?q=%20 HTTP/1.1"]
    assert len(first.heads) == 1


@pytest.mark.parametrize("kind", [PLAIN, UPGRADE], ids=["plain", "upgrade"])
async def test_a_path_that_is_too_long_for_expressions(kind: bytes) -> None:
    async with Gateway(configured(9)) as gateway:
        answer = await exchange(gateway.port, request(kind, b"/shop/" + b"x" * 9000) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 414 ")


async def test_the_articles_file_leads_sockjs_and_websockets_to_the_instances() -> None:
    settings = load_gateway_file(Path(__file__).parent / "files" / "article.yml").onto(GatewaySettings())
    async with scripted_upstream(say_and_close(ANSWER)) as upstream:
        services = {"web-socket": (f"127.0.0.1:{upstream.port}",)}
        async with Gateway(msgspec.structs.replace(settings, services=services)) as gateway:
            for kind, path in (
                (PLAIN, b"/web-socket/ws/info?t=1"),
                (PLAIN, b"/web-socket/ws/000/abc/xhr"),
                (UPGRADE, b"/web-socket/ws/000/abc/websocket"),
                (UPGRADE, b"/web-socket/ws?access_token=x"),
            ):
                await exchange(gateway.port, request(kind, path) + b"\r\n")
    assert [head.split(b" ")[1].decode() for head in upstream.heads] == [
        "/ws/info?t=1",
        "/ws/000/abc/xhr",
        "/ws/000/abc/websocket",
        "/ws?access_token=x",
    ]


async def test_a_101_is_changed_too_where_there_is_something_to_change() -> None:
    switch = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade, X-Hop\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Hop: 1\r\nX-Secret: 1\r\n\r\n\x81\x02hi"
    )
    async with (
        scripted_upstream(say_and_close(switch)) as upstream,
        Gateway(configured(upstream.port)) as gateway,
    ):
        answer = await exchange(gateway.port, request(UPGRADE) + b"\r\n")
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert rest == b"\x81\x02hi"
    assert set(head.lower().split(b"\r\n")) == {
        b"http/1.1 101 switching protocols",
        b"upgrade: websocket",
        b"connection: upgrade",
        b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
        b"x-by: gateway",
    }


async def test_a_route_wins_over_the_gateways_own_page() -> None:
    route = """
spring.cloud.gateway.routes:
- id: page
  uri: http://127.0.0.1:%d
  predicates: [Path=/110000.html]
"""
    ask = b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with scripted_upstream(say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")) as upstream:
        settings = parse_spring_yaml(route % upstream.port).onto(GatewaySettings())
        async with Gateway(settings) as gateway:
            page = await exchange(gateway.port, ask % b"/110000.html")
            script = await exchange(gateway.port, ask % b"/110000.js")
    assert page.endswith(b"\r\n\r\nmine")
    assert b"StompConnection" in script
