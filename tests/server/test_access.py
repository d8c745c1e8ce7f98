"""Who may write: loopback, web pages, tokens."""

from __future__ import annotations

import base64

import pytest

from core.errors import UsageError
from server.access import TOKEN_VARIABLE, AccessRule, host_of, is_loopback


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "a.localhost", "LOCALHOST"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "10.0.0.1", "::", "example.com", "localhost.example.com", "127.1"]
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("authority", "host"),
    [("h", "h"), ("H:80", "h"), ("[::1]:80", "::1"), ("", ""), ("[x", ""), ("u@h:1", "h"), ("h:x", "h")],
)
def test_the_host_of_an_authority(authority: str, host: str) -> None:
    assert host_of(authority) == host


def test_on_loopback_everybody_but_web_pages_may_write() -> None:
    rule = AccessRule("127.0.0.1")
    assert rule.refuse_write({"host": "localhost:8080"}) == ""
    assert rule.refuse_write({"host": "localhost:8080", "origin": "http://localhost:8080"}) == ""
    assert "evil.example may not write" in rule.refuse_write(
        {"host": "localhost:8080", "origin": "http://evil.example"}
    )
    assert "'rebound.example'" in rule.refuse_write({"host": "rebound.example"})
    assert "is not this machine" in rule.refuse_write({})
    assert "may not write" in rule.refuse_write({"host": "localhost", "origin": "null"})


def test_elsewhere_the_token_counts() -> None:
    rule = AccessRule("10.0.0.1", token="secret")
    assert "secret" not in repr(rule)
    basic = base64.b64encode(b"anyone:secret").decode()
    for value in ("Bearer secret", "bearer secret ", f"Basic {basic}"):
        assert rule.refuse_write({"authorization": value}) == ""
    for value in ("", "Bearer", "Bearer wrong", "Basic !", "Digest secret", "Basic " + basic[:-4]):
        assert TOKEN_VARIABLE in rule.refuse_write({"authorization": value})
    assert rule.refuse_read({}) == ""
    assert AccessRule("10.0.0.1").refuse_write({"authorization": "Bearer "}) != ""


def test_without_a_token_only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert AccessRule.for_host("127.0.0.1").token == ""
    assert AccessRule.for_host("0.0.0.0", need_token=False).host == "0.0.0.0"
    with pytest.raises(UsageError, match=r"0\.0\.0\.0 needs a token") as caught:
        AccessRule.for_host("0.0.0.0")
    assert TOKEN_VARIABLE in caught.value.hint
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    assert AccessRule.for_host("0.0.0.0").token == "secret"
