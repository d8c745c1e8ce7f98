"""Whether a request comes from this machine."""

from __future__ import annotations

import pytest

from server.access.provenance import (
    ELSEWHERE,
    LOOPBACK,
    MARK,
    comes_from_elsewhere,
    host_of,
    is_loopback,
    mark_for,
)

_LOCAL = (b"host", b"127.0.0.1:7000")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1", "localhost", "a.localhost", "LOCALHOST"],
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "10.0.0.1", "::", "::ffff:10.0.0.1", "example.com", "localhost.example.com", "127.1"],
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("h", "h"),
        ("H:80", "h"),
        ("[::1]:80", "::1"),
        ("", ""),
        ("[x", ""),
        ("u@h:1", ""),
        ("h:x", ""),
        ("127.0.0.1#evil", ""),
        ("127.0.0.1/evil", ""),
        ("127.0.0.1?evil", ""),
        ("127.0.0.1\\evil", ""),
        ("127.0.0.1 evil", ""),
        ("127.0.0.1,evil", "127.0.0.1,evil"),
    ],
)
def test_the_host_of_an_authority(authority: str, host: str) -> None:
    assert host_of(authority) == host


@pytest.mark.parametrize(
    "header",
    [
        (MARK, b"elsewhere"),
        (MARK, b""),
        (MARK, b"Loopback"),
        (MARK, b"loopback, loopback"),
        (b"x-forwarded-for", b"203.0.113.7"),
        (b"x-forwarded-for", b"127.0.0.1, 203.0.113.7"),
        (b"x-forwarded-for", b"203.0.113.7:4711"),
        (b"x-forwarded-for", b"unknown"),
        (b"x-real-ip", b"2001:db8::1"),
        (b"forwarded", b"for=203.0.113.7;proto=https"),
        (b"forwarded", b'proto=https;For="[2001:db8::1]:4711"'),
        (b"forwarded", b"for=127.0.0.1, for=203.0.113.7"),
        (b"forwarded", b"for=_hidden"),
    ],
)
def test_somebody_says_that_the_client_is_elsewhere(header: tuple[bytes, bytes]) -> None:
    assert comes_from_elsewhere([_LOCAL, header])
    assert comes_from_elsewhere([(MARK, LOOPBACK), header])
    # A gateway does not forget what the one before it knew.
    assert mark_for("127.0.0.1", [_LOCAL, header]) == (MARK, ELSEWHERE)


@pytest.mark.parametrize(
    "header",
    [
        (MARK, LOOPBACK),
        (b"x-forwarded-for", b"127.0.0.1"),
        (b"x-forwarded-for", b"127.0.0.1:4711, ::1, [::1]:80"),
        (b"x-real-ip", b"::1"),
        (b"forwarded", b'for=127.0.0.1;host=example.com, for="[::1]:4711"'),
        (b"forwarded", b"proto=https"),
        (b"x-forwarded-host", b"example.com"),
    ],
)
def test_nobody_says_so(header: tuple[bytes, bytes]) -> None:
    assert not comes_from_elsewhere([_LOCAL, header])
    assert mark_for("127.0.0.1", [_LOCAL, header]) == (MARK, LOOPBACK)


@pytest.mark.parametrize("client", ["10.0.0.7", "2001:db8::1", "::ffff:10.0.0.7", ""])
def test_a_client_on_another_address_is_elsewhere_whatever_it_says(client: str) -> None:
    for header in ((MARK, LOOPBACK), (b"x-forwarded-for", b"127.0.0.1"), _LOCAL):
        assert mark_for(client, [_LOCAL, header]) == (MARK, ELSEWHERE)


@pytest.mark.parametrize("name", [b"push.example", b"10.0.0.7:7000", b"localhost.evil.example"])
def test_who_asks_for_another_name_came_through_something(name: bytes) -> None:
    assert mark_for("127.0.0.1", [(b"host", name)]) == (MARK, ELSEWHERE)
    assert mark_for("::1", [(b"host", b"[::1]:7000")]) == (MARK, LOOPBACK)
