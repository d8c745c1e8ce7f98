"""X-Forwarded-* and Forwarded: stripped unless the peer is trusted, else appended.

See docs/wire/gateway.md §4.
"""

from __future__ import annotations

import pytest

from core.errors import UsageError
from server.gateway.forwarded import ForwardedPolicy, ForwardedRules
from server.gateway.heads import Header
from server.gateway.routing.request import RouteRequest

CAME: list[Header] = [
    (b"x-forwarded-for", b"1.1.1.1"),
    (b"forwarded", b"for=1.1.1.1"),
    (b"x-forwarded-user", b"root"),
    (b"a", b"b"),
]


def request(client: str = "10.0.0.1", host: str = "h:7000", *, secure: bool = False) -> RouteRequest:
    return RouteRequest("GET", "/p/x", b"", [(b"host", host.encode())], client, secure)


def told(policy: ForwardedPolicy, asked: RouteRequest, path: str = "/p/x") -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in policy.apply(CAME, asked, path)}


@pytest.mark.parametrize(
    ("trusted", "client"),
    [("", "10.0.0.1"), (r"10\..*", "11.0.0.1"), (r"10\.", "10.0.0.1"), (r".+", "")],
)
def test_of_peers_that_are_not_trusted_nothing_is_believed_and_nothing_added(
    trusted: str, client: str
) -> None:
    assert told(ForwardedPolicy(trusted), request(client)) == {"a": "b"}


def test_of_trusted_ones_all_is_kept_and_ours_appended() -> None:
    assert told(ForwardedPolicy(r"10\..*"), request(), "/x") == {
        "a": "b",
        "x-forwarded-user": "root",
        "x-forwarded-for": "1.1.1.1, 10.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-prefix": "/p",
        "x-forwarded-port": "7000",
        "x-forwarded-host": "h:7000",
        "forwarded": 'for=1.1.1.1, for=10.0.0.1;host="h:7000";proto=http',
    }


@pytest.mark.parametrize(
    ("host", "secure", "port", "shown"),
    [
        ("h", False, "80", "h"),
        ("h", True, "443", "h"),
        ("h:80", False, "80", "h"),
        ("h:443", True, "443", "h"),
        ("h:443", False, "443", "h:443"),
        ("[::1]", False, "80", "[::1]"),
        ("[::1]:8080", False, "8080", "[::1]:8080"),
    ],
)
def test_port_and_host(host: str, secure: bool, port: str, shown: str) -> None:
    found = told(ForwardedPolicy(".*"), request(host=host, secure=secure))
    assert (found["x-forwarded-port"], found["x-forwarded-host"]) == (port, shown)
    assert found["x-forwarded-proto"] == ("https" if secure else "http")


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("/x", "/p"), ("/x/", "/p"), ("/", "/p/x"), ("/p/x", None), ("/else", None), ("/q/p/x", None)],
)
def test_the_prefix_is_what_was_cut_off_in_front(path: str, prefix: str | None) -> None:
    assert told(ForwardedPolicy(".*"), request(), path).get("x-forwarded-prefix") == prefix


def test_addresses_of_ipv6() -> None:
    assert told(ForwardedPolicy(".*"), request("::1"))["forwarded"].endswith(
        'for="[::1]";host="h:7000";proto=http'
    )
    assert (
        told(ForwardedPolicy(r"10\..*"), request("::ffff:10.0.0.1"))["x-forwarded-for"] == "1.1.1.1, 10.0.0.1"
    )


def test_what_is_not_wanted_is_left_as_it_came_and_what_replaces_is_alone() -> None:
    rules = ForwardedRules(frozenset(("forwarded", "proto", "prefix", "port")), frozenset(("for",)))
    assert told(ForwardedPolicy(".*", rules), request(), "/x") == {
        "a": "b",
        "x-forwarded-user": "root",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "h:7000",
        "forwarded": "for=1.1.1.1",
    }


def test_what_is_trusted_is_an_expression() -> None:
    with pytest.raises(UsageError, match="trusted_proxies"):
        ForwardedPolicy("(")
