"""Which pages may connect."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from server.access.origins import Origins, page_elsewhere, place_of


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
    assert (not origins.refuse(headers, "ws")) is allowed


def test_a_star_allows_everybody() -> None:
    assert not Origins(("*",)).refuse([(b"origin", b"http://evil.example")], "ws")


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
        ("http://localhost:*", "http://localhost:5173", True),
        ("http://localhost:*", "http://localhost", True),
        ("http://localhost:*", "https://localhost:5173", False),
        ("http://localhost:*", "http://localhost:5173.evil.example", False),
        ("http://localhost:*", "http://localhost:@evil.example", False),
        ("http://192.168.*:*", "http://192.168.1.7:5173", True),
        ("*://localhost:[3000,5173]", "https://localhost:5173", True),
        ("http://localhost:80", "http://localhost", True),
        ("https://example.org:443/", "https://example.org", True),
        ("http://localhost:5173", "http://localhost:51730", False),
        ("null", "null", True),
        ("null", "http://localhost:5173", False),
        ("http://localhost:5173", "null", False),
        ("https://*", "null", False),
        ("file://", "file://", True),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("http://[::1]:8080", "http://[::1]:8080", True),
        ("https://exampleXorg", "https://example.org", False),
        ("https://example.org", "https://exampleXorg", False),
    ],
)
def test_patterns_of_origins(pattern: str, origin: str, allowed: bool) -> None:
    headers = [(b"host", b"instance:8080"), (b"origin", origin.encode())]
    assert (not Origins((pattern,)).refuse(headers, "ws")) is allowed


@pytest.mark.parametrize(
    "wrong",
    [
        "localhost:5173",
        "http://localhost:5173/app",
        "http://localhost:5173,http://localhost:4200",
        "http://a@localhost",
        "http://",
        "http://:5173",
        "http://localhost:[5173",
        "http://localhost:port",
        "",
        "**",
        "Null!",
    ],
)
def test_what_no_browser_sends_cannot_be_allowed(wrong: str) -> None:
    with pytest.raises(UsageError, match="--allow-origin"):
        Origins((wrong,))


def test_a_refused_page_is_counted_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    refused: list[str] = []
    origins = Origins(("https://app.example",), refused.append)
    for origin in (b"http://localhost:5173", b"http://localhost:5173", b"http://\x1b[31mevil" + b"x" * 500):
        reason = origins.refuse([(b"host", b"instance:8080"), (b"origin", origin)], "ws")
    assert refused[:2] == ["http://localhost:5173"] * 2 and len(refused) == 3
    first, second = (record.getMessage() for record in caplog.records)
    assert first == (
        "pages of http://localhost:5173 may not connect (allowed_origins, --allow-origin http://localhost:5173)"
    )
    assert second == reason and "\x1b" not in reason and len(reason) < 300
    for number in range(100):
        origins.refuse([(b"origin", b"http://evil%d.example" % number)], "ws")
    assert len(caplog.records) == 64


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({}, ""),
        ({"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:8080"}, ""),
        ({"host": "127.0.0.1:8080", "origin": "http://localhost:5173"}, "http://localhost:5173"),
        ({"host": "127.0.0.1:8080", "origin": "null"}, "null"),
        ({"sec-fetch-site": "same-origin"}, ""),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}, "another site"),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, "another site"),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, ""),
        ({"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, ""),
    ],
)
def test_pages_that_read_what_is_not_theirs(headers: dict[str, str], page: str) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert page_elsewhere(raw) == page
