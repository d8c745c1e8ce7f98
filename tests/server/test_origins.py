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
