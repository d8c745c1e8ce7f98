"""Filters of other people's gateways on the wire: of hosts, queries and headers."""

from __future__ import annotations

import pytest

from server.gateway import Gateway, GatewaySettings, parse_spring_yaml
from tests.support.upstream import exchange, say, scripted_upstream

UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
PLAIN = b"Connection: close\r\n"
ANSWER = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Frame-Options: SAMEORIGIN\r\n"
    b"X-Said: password=1&password=22\r\n\r\nno"
)

ROUTES = """spring.cloud.gateway:
  filter.secure-headers:
    disable: strict-transport-security,content-security-policy
    referrer-policy: origin
  routes:
  - id: a
    uri: http://127.0.0.1:%d
    predicates: [ 'Path=/{team}/**' ]
    filters:
%s
"""


async def through(filters: str, kind: bytes = PLAIN, query: bytes = b"") -> tuple[str, str]:
    """What upstream hears, and what the client hears, both in lower case."""
    written = "\n".join(f"    - {each}" for each in filters.splitlines())
    async with scripted_upstream(say(ANSWER)) as upstream:
        read = parse_spring_yaml(ROUTES % (upstream.port, written))
        assert not read.warnings
        async with Gateway(read.onto(GatewaySettings())) as gateway:
            answer = await exchange(
                gateway.port,
                b"GET /red/x%b HTTP/1.1\r\nHost: localhost\r\n%bX-Here: 1\r\nX-Here: 2\r\nX-Blank: \r\n\r\n"
                % (query, kind),
            )
        return upstream.heads[0].decode().lower(), answer.decode().lower()


@pytest.mark.parametrize("kind", [PLAIN, UPGRADE], ids=["plain", "upgrade"])
async def test_what_upstream_is_asked(kind: bytes) -> None:
    asked, _ = await through(
        "SetRequestHostHeader={team}.example.org\n"
        "RemoveRequestParameter=old token\n"
        "AddRequestParameter=color, {team} one\n"
        "AddRequestHeadersIfNotPresent=X-New:{team},X-New:b:c,X-Here:3,X-Blank:4\n"
        "MapRequestHeader=X-Here, X-There",
        kind,
        b"?a=%20&old%20token=1&b&old+token=2",
    )
    assert asked.startswith("get /red/x?a=%20&b&color=red%20one http/1.1\r\n")
    for line in (
        "host: red.example.org",
        "x-new: red",
        "x-new: b:c",
        "x-blank: 4",
        "x-there: 1",
        "x-there: 2",
    ):
        assert f"\r\n{line}\r\n" in asked
    assert asked.count("\r\nhost: ") == 1 and "x-here: 3" not in asked


async def test_a_parameter_where_there_is_no_query() -> None:
    asked, _ = await through("AddRequestParameter=color, blue")
    assert asked.startswith("get /red/x?color=blue http/1.1\r\n")
    asked, _ = await through("RemoveRequestParameter=a", query=b"?a=1")
    assert asked.startswith("get /red/x http/1.1\r\n")


@pytest.mark.parametrize("kind", [PLAIN, UPGRADE], ids=["plain", "upgrade"])
async def test_headers_that_keep_browsers_safe_are_added_as_the_file_says(kind: bytes) -> None:
    _, heard = await through("SecureHeaders", kind)
    for line in (
        "x-xss-protection: 1 ; mode=block",
        "x-frame-options: sameorigin",  # upstream's own stays
        "x-content-type-options: nosniff",
        "referrer-policy: origin",
        "x-download-options: noopen",
        "x-permitted-cross-domain-policies: none",
    ):
        assert heard.count(f"\r\n{line}\r\n") == 1, line
    assert "strict-transport-security" not in heard and "content-security-policy" not in heard


async def test_a_route_has_its_own_switches_for_them() -> None:
    _, heard = await through(
        "{name: SecureHeaders, args: {enable: permissions-policy, disable: [X-Download-Options],"
        " permissions-policy: 'usb=()', contentSecurityPolicyHeaderValue: \"default-src 'self'\"}}"
    )
    assert "permissions-policy: usb=()\r\n" in heard and "referrer-policy: origin\r\n" in heard
    assert "strict-transport-security: max-age=631138519\r\n" in heard
    assert "content-security-policy: default-src 'self'\r\n" in heard and "x-download-options" not in heard


async def test_a_header_of_the_answer_is_rewritten() -> None:
    _, heard = await through("RewriteResponseHeader=X-Said, password=(?<n>[^&]+), was=***$\\{n}")
    assert "x-said: was=***1&was=***22\r\n" in heard


@pytest.mark.parametrize(
    "wrong",
    [
        "SetRequestHostHeader=a b",
        "AddRequestHeadersIfNotPresent=X-New",
        "AddRequestHeadersIfNotPresent=Host:a",
        "MapRequestHeader=X-Here, Content-Length",
        "RewriteResponseHeader=X-Said, (, a",
        "RewriteResponseHeader=Content-Length, 2, 3",
        "{name: SecureHeaders, args: {disable: x-none}}",
        '{name: SecureHeaders, args: {frame-options: "a\\nb"}}',
    ],
)
def test_what_makes_no_sense_closes_its_route(wrong: str) -> None:
    read = parse_spring_yaml(ROUTES % (9, f"    - {wrong}"))
    assert read.routes[0].closed and read.warnings
