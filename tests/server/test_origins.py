"""Which pages may connect."""

from __future__ import annotations

import pytest

from server.origins import Origins, place_of


@pytest.mark.parametrize(
    ("origin", "host", "forwarded", "allowed"),
    [
        (None, "localhost:8080", None, True),
        ("http://localhost:8080", "localhost:8080", None, True),
        ("http://127.0.0.1:8080", "localhost:8080", None, True),
        ("http://localhost:7000", "localhost:8080", None, False),
        ("http://localhost:7000", "127.0.0.1:8080", "localhost:7000", True),
        ("http://gate.example:7000", "127.0.0.1:8080", None, True),
        ("https://app.example", "localhost:8080", None, True),
        ("HTTPS://APP.example/", "localhost:8080", None, True),
        ("http://app.example", "localhost:8080", None, False),
        ("http://evil.example", "localhost:8080", None, False),
        ("http://localhost.evil.example:8080", "localhost:8080", None, False),
        ("null", "localhost:8080", None, False),
        ("http://[", "localhost:8080", None, False),
        ("http://evil.example:x", "localhost:8080", None, False),
        ("http://shop.example", "shop.example", None, True),
    ],
)
def test_origins(origin: str | None, host: str, forwarded: str | None, allowed: bool) -> None:
    origins = Origins(("https://app.example",))
    origins.gateways = frozenset({place_of("gate.example", 7000)})
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    if forwarded is not None:
        headers.append((b"x-forwarded-host", forwarded.encode()))
    assert origins.allow(headers, "ws") is allowed


def test_a_star_allows_everybody() -> None:
    assert Origins(("*",)).allow([(b"origin", b"http://evil.example")], "ws")


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("https://*.example.org", "https://app.example.org", True),
        ("https://*.example.org", "https://a.b.EXAMPLE.org/", True),
        ("https://*.example.org", "https://example.org", False),
        ("https://*.example.org", "http://app.example.org", False),
        ("https://*.example.org", "https://app.example.org:8443", False),
        ("https://*.example.org", "https://app.example.org.evil.example", False),
        ("https://*.example.org", "https://evil.example/.example.org", False),
        ("https://*.example.org", "https://evil.example#.example.org", False),
        ("https://*.example.org", "https://evil.example@x.example.org", False),
        ("https://*.example.org:[8080,8443]", "https://app.example.org:8443", True),
        ("https://*.example.org:[8080,8443]", "https://app.example.org:84", False),
        ("https://*.example.org:[8080,8443]", "https://app.example.org", False),
        ("https://*.example.org:[*]", "https://app.example.org", True),
        ("https://*.example.org:[*]", "https://app.example.org:1", True),
        ("http://localhost:[*]", "http://localhost:3000", True),
        ("http://localhost:[*]", "http://localhostx:3000", False),
        ("http://[::1]:8080", "http://[::1]:8080", True),
        ("https://exampleXorg", "https://example.org", False),
        ("https://example.org", "https://exampleXorg", False),
    ],
)
def test_patterns_of_origins(pattern: str, origin: str, allowed: bool) -> None:
    headers = [(b"host", b"instance:8080"), (b"origin", origin.encode())]
    assert Origins((pattern,)).allow(headers, "ws") is allowed
