"""What flags say about access tokens and SockJS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.endpoint_flags import sockjs_of, tokens_of
from core.errors import UsageError
from server.access.tokens import TokenSettings
from server.settings.instance import SOCKJS
from server.settings.tokens import SECRET_VARIABLE

#: A symmetric key of 32 bytes.
JWKS = '{"keys": [{"kty": "oct", "k": "' + "A" * 43 + '"}]}'


def tokens(jwks: Path | None = None, **rules: Any) -> TokenSettings | None:
    usual: dict[str, Any] = {"audience": "", "issuer": "", "user_claim": "sub", "leeway": 5.0}
    given: dict[str, Any] = {
        **usual,
        "optional": False,
        "end_at_expiry": False,
        "taken_from": "either",
    } | rules
    return tokens_of(None, None, jwks, **given)


def test_nobody_needs_a_token_unless_there_is_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    assert tokens() is None
    for rule in ("audience", "issuer", "optional", "end_at_expiry"):
        given: dict[str, Any] = {rule: "x"}
        with pytest.raises(UsageError, match="without a key"):
            tokens(**given)
    monkeypatch.setenv(SECRET_VARIABLE, "s" * 32)
    assert tokens() == TokenSettings(secret="s" * 32)


def test_files_are_found_by_processes_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jwks.json").write_text(JWKS, "utf-8")
    found = tokens(Path("jwks.json"), optional=True, leeway=1.0)
    assert found == TokenSettings(jwks_file=str(tmp_path / "jwks.json"), required=False, leeway_s=1.0)


def test_keys_are_looked_at_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    with pytest.raises(UsageError, match="No such file"):
        tokens(file)
    file.write_text("[]", "utf-8")
    with pytest.raises(UsageError, match="is no JSON Web Key Set"):
        tokens(file)
    monkeypatch.setenv(SECRET_VARIABLE, "s" * 32)
    with pytest.raises(UsageError, match=f"{SECRET_VARIABLE} and --jwt-jwks are given"):
        tokens(file)


def test_sockjs() -> None:
    assert sockjs_of("sockjs", None, None, None, websocket=None, cookie=None) is None
    changed = sockjs_of("sockjs", 0.0, 7.0, 4096, websocket=False, cookie=True)
    assert changed is not None
    assert (changed.heartbeat_s, changed.disconnect_s, changed.response_limit) == (0.0, 7.0, 4096)
    assert (changed.websocket, changed.cookie_needed, changed.max_waiting) == (
        False,
        True,
        SOCKJS.max_waiting,
    )
    spring = sockjs_of("spring", None, None, None, websocket=None, cookie=None)
    assert spring is not None
    assert (spring.dialect, spring.cookie_needed, spring.bind_sessions, spring.jsonp) == (
        "spring",
        True,
        True,
        False,
    )
    plain = sockjs_of("spring", None, None, None, websocket=None, cookie=False)
    assert plain is not None and not plain.cookie_needed
    with pytest.raises(UsageError, match="not known"):
        sockjs_of("node", None, None, None, websocket=None, cookie=None)
