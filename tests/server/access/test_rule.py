"""Who may write and look: loopback, web pages, tokens."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest

from core.errors import UsageError
from core.push_token import TOKEN_VARIABLE
from server.access.rule import AccessRule


def raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them."""
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def written(rule: AccessRule, **headers: str) -> tuple[int, str]:
    """Status and reason of a refused write; (0, "") if it is not refused."""
    refused = rule.refuse_write(raw({name.replace("_", "-"): value for name, value in headers.items()}))
    return (refused.status, refused.reason) if refused is not None else (0, "")


def read(rule: AccessRule, **headers: str) -> int:
    """Status of a refused read; 0 if it is not refused."""
    refused = rule.refuse_read(raw({name.replace("_", "-"): value for name, value in headers.items()}))
    return refused.status if refused is not None else 0


def test_on_loopback_everybody_but_web_pages_may_write() -> None:
    rule = AccessRule("127.0.0.1")
    assert written(rule, host="localhost:8080") == (0, "")
    assert written(rule, host="localhost:8080", origin="http://localhost:8080") == (0, "")
    status, reason = written(rule, host="localhost:8080", origin="http://evil.example")
    assert status == 403 and "evil.example may not write" in reason
    status, reason = written(rule, host="rebound.example")
    assert status == 403 and "'rebound.example'" in reason
    assert "is not this machine" in written(rule)[1]
    assert "may not write" in written(rule, host="localhost", origin="null")[1]
    assert read(rule, host="localhost") == 0 and read(rule, host="rebound.example") == 403


def test_every_host_header_counts() -> None:
    rule = AccessRule("127.0.0.1")
    for names in (("localhost", "evil.example"), ("evil.example", "localhost")):
        refused = rule.refuse_read([(b"host", name.encode()) for name in names])
        assert refused is not None and refused.status == 403


BASIC = base64.b64encode(b"anyone:secret").decode()


@pytest.mark.parametrize("host", ["10.0.0.1", "127.0.0.1"])
def test_where_a_token_is_set_it_counts(host: str) -> None:
    rule = AccessRule(host, token="secret")
    assert "secret" not in repr(rule)
    for value in ("Bearer secret", "bearer secret ", f"Basic {BASIC}"):
        assert written(rule, authorization=value, host="localhost") == (0, "")
        assert read(rule, authorization=value, host="localhost") == 0
    for value in ("", "Bearer", "Bearer wrong", "Basic !", "Digest secret", "Basic " + BASIC[:-4]):
        status, reason = written(rule, authorization=value, host="localhost")
        assert status == 401 and TOKEN_VARIABLE in reason and "secret" not in reason
        assert read(rule, authorization=value, host="localhost") == 401
    assert AccessRule(host, token="sécret").refuse_read(raw({"authorization": "Bearer sécret"})) is not None


def test_on_another_address_nothing_is_open_without_a_token() -> None:
    rule = AccessRule("10.0.0.1")
    assert written(rule, authorization="Bearer ")[0] == read(rule, authorization="Bearer ") == 401


def test_what_a_browser_adds_by_itself_does_not_make_a_page_ours() -> None:
    """A browser remembers a password that was typed once, and sends it for pages of others too."""
    rule = AccessRule("127.0.0.1", token="secret")
    foreign = {"host": "localhost", "origin": "http://evil.example"}
    assert written(rule, **foreign, authorization=f"Basic {BASIC}")[0] == 403
    assert written(rule, **foreign, authorization="Bearer secret") == (0, "")
    assert read(rule, host="rebound.example", authorization=f"Basic {BASIC}") == 403


def test_who_comes_from_elsewhere_needs_the_token() -> None:
    for told in ({"pushscope-client": "elsewhere"}, {"x-forwarded-for": "203.0.113.7"}):
        headers = raw({"host": "127.0.0.1:8080", **told})
        refused = AccessRule("127.0.0.1").refuse_read(headers)
        assert refused is not None and refused.status == 401
        assert "none is set" in refused.reason and TOKEN_VARIABLE in refused.reason
        rule = AccessRule("127.0.0.1", token="secret")
        assert rule.refuse_read(headers) is not None
        assert rule.refuse_write([*headers, (b"authorization", b"Bearer secret")]) is None


def test_without_a_token_only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert AccessRule.for_host("127.0.0.1").token == ""
    assert AccessRule.for_host("0.0.0.0", need_token=False).host == "0.0.0.0"
    with pytest.raises(UsageError, match=r"0\.0\.0\.0 needs a token") as caught:
        AccessRule.for_host("0.0.0.0")
    assert TOKEN_VARIABLE in caught.value.hint
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    assert AccessRule.for_host("0.0.0.0").token == "secret"


@pytest.mark.parametrize("token", ["two\r\nlines", " blank before", "blank after ", "nül", "bell\a"])
def test_a_token_that_cannot_be_sent_is_refused_at_the_start(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(UsageError, match="cannot be sent as a header") as caught:
        AccessRule.for_host("127.0.0.1")
    assert token not in f"{caught.value} {caught.value.tried} {caught.value.hint}"
