"""Where users get access tokens from."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest

from core.deployment import load_deployment
from core.errors import ScenarioError, UsageError
from core.tokens import TokenSource, with_token

SECRET = "a-secret-of-the-tests-that-is-long-enough"


def test_one_for_all_or_one_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOP_TOKEN", " token-of-{user}\n")
    assert TokenSource(env="SHOP_TOKEN").resolve()("joe") == "token-of-joe"
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    found = jwt.decode(TokenSource(secret_env="SHOP_SECRET").resolve()("joe"), SECRET, ["HS256"])
    assert found["sub"] == "joe" and "exp" in found
    path = tmp_path / "tokens.txt"
    path.write_text("joe a.b.c\n\nMary Ann  d.e.f\n")
    token_of = TokenSource(file=str(path)).resolve()
    assert (token_of("joe"), token_of("Mary Ann")) == ("a.b.c", "d.e.f")
    with pytest.raises(UsageError, match="no token for 'eve'"):
        token_of("eve")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    for source in (TokenSource(env="SHOP_TOKEN"), TokenSource(secret_env="SHOP_TOKEN")):
        with pytest.raises(UsageError, match="SHOP_TOKEN is not set"):
            source.resolve()
    monkeypatch.setenv("SHOP_TOKEN", "hunter2")
    with pytest.raises(UsageError, match="too short") as caught:
        TokenSource(secret_env="SHOP_TOKEN").resolve()
    assert "hunter2" not in str(caught.value)
    path = tmp_path / "tokens.txt"
    with pytest.raises(UsageError, match="No such file"):
        TokenSource(file=str(path)).resolve()
    path.write_text("joe a\nsecret\n")
    with pytest.raises(UsageError, match=r"tokens\.txt:2: is no line") as caught:
        TokenSource(file=str(path)).resolve()
    assert "secret" not in str(caught.value)


def test_a_deployment_names_its_source(tmp_path: Path) -> None:
    path = tmp_path / "env.toml"
    text = 'gateway = "http://h:1"\n[[instances]]\nid = "i1"\nurl = "http://h:2"\n[tokens]\n'
    path.write_text(text + 'secret_env = "SHOP_SECRET"\n')
    assert load_deployment(path).tokens == TokenSource(secret_env="SHOP_SECRET")
    for wrong, said in (
        ("", "exactly one source"),
        ('env = "A"\nfile = "b"', "exactly one"),
        ('secret = "x"', "secret"),
    ):
        path.write_text(f"{text}{wrong}\n")
        with pytest.raises(ScenarioError, match=said):
            load_deployment(path)


def test_the_token_is_part_of_the_query() -> None:
    assert with_token("ws://h/ws", "a.b+c=") == "ws://h/ws?access_token=a.b%2Bc%3D"
    assert with_token("ws://h/ws?user=joe", "a") == "ws://h/ws?user=joe&access_token=a"
