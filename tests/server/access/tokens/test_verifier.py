"""Which tokens are valid, and what is said of those that are not."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from server.access.admission import Principal
from server.access.tokens import BadToken, Credentials, TokenSettings
from server.access.tokens.verifier import TokenVerifier

from ....support.tokens import (
    SECRET,
    b64,
    forged,
    jwk,
    private_pem,
    public_pem,
    rsa_key,
    signed,
    token,
    write_jwks,
)

BY_SECRET = TokenVerifier(TokenSettings(secret=SECRET))


def refused(verifier: TokenVerifier, text: str) -> str:
    with pytest.raises(BadToken) as caught:
        verifier.verify(text)
    assert caught.value.__cause__ is None
    return str(caught.value)


def by_pem(tmp_path: Path, **settings: Any) -> TokenVerifier:
    path = tmp_path / "public.pem"
    path.write_bytes(public_pem(rsa_key()))
    return TokenVerifier(TokenSettings(public_key_file=str(path), **settings))


def test_hs256() -> None:
    found = BY_SECRET.verify(token("joe", role="admin"))
    assert (found.name, found.ends_at, found.claims["role"]) == ("joe", None, "admin")
    assert "signature is wrong" in refused(BY_SECRET, token(key=SECRET + "x"))
    assert "algorithm" in refused(BY_SECRET, token(key=rsa_key()))
    longer = jwt.encode({"sub": "joe"}, SECRET * 2, "HS512")
    assert "algorithm" in refused(BY_SECRET, longer)


def test_a_secret_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    assert TokenVerifier(TokenSettings(secret_file=str(path))).verify(token()).name == "joe"


def test_rs256(tmp_path: Path) -> None:
    verifier = by_pem(tmp_path)
    assert verifier.verify(token("joe", key=rsa_key())).name == "joe"
    # A single key without a name serves whatever name the issuer has for it.
    assert verifier.verify(token("joe", key=rsa_key(), kid="2026-11")).name == "joe"
    assert "signature is wrong" in refused(verifier, token(key=rsa_key(1)))


def test_no_confusion_of_algorithms(tmp_path: Path) -> None:
    """The public key, which everybody has, is no secret of HS256; and none is no algorithm."""
    verifier = by_pem(tmp_path)
    head, claims = {"alg": "HS256", "typ": "JWT"}, {"sub": "root"}
    unsigned = forged(head, claims).removesuffix(".")
    signature = hmac.new(public_pem(rsa_key()), unsigned.encode(), hashlib.sha256).digest()
    assert "algorithm" in refused(verifier, forged(head, claims, signature))
    for name in ("none", "None", "NONE", "", "ES256", "PS256", "RS512"):
        for each in (verifier, BY_SECRET):
            refused(each, forged({"alg": name}, claims))
            refused(each, forged({"alg": name}, claims, b"x" * 256))
    own = {"alg": "RS256", "jwk": jwk(rsa_key(1), "k"), "jku": "http://127.0.0.1:9/", "x5u": "http://x"}
    text = jwt.encode(claims, rsa_key(1), "RS256", headers=own)
    assert "signature is wrong" in refused(verifier, text)


def test_a_set_of_keys(tmp_path: Path) -> None:
    other = {"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA"}
    broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
    secret = {"kty": "oct", "kid": "s", "k": b64(SECRET.encode())}
    keys = (jwk(rsa_key(0), "a"), jwk(rsa_key(1), "b", alg="RS256"), other, broken, secret)
    encrypting, stronger = jwk(rsa_key(2), "enc") | {"use": "enc"}, jwk(rsa_key(2), "c", alg="RS512")
    path = write_jwks(tmp_path / "jwks.json", *keys, encrypting, stronger)
    verifier = TokenVerifier(TokenSettings(jwks_file=path))
    assert verifier.verify(token("joe", key=rsa_key(0), kid="a")).name == "joe"
    assert verifier.verify(token("ann", key=rsa_key(1), kid="b")).name == "ann"
    assert verifier.verify(token("eve", key=SECRET, kid="s")).name == "eve"
    assert "signature is wrong" in refused(verifier, token(key=rsa_key(0), kid="b"))
    assert "algorithm" in refused(verifier, token(key=SECRET, kid="a"))
    assert "names no key" in refused(verifier, token(key=rsa_key(0)))
    for kid in ("z", "ec", "broken", "enc", "c"):
        assert "no key is known" in refused(verifier, token(key=rsa_key(2), kid=kid))
    refused(verifier, forged({"alg": "RS256", "kid": 1}, {"sub": "joe"}))


def test_the_only_key_of_a_set_needs_no_name(tmp_path: Path) -> None:
    path = write_jwks(tmp_path / "jwks.json", jwk(rsa_key(), "a"))
    verifier = TokenVerifier(TokenSettings(jwks_file=path))
    assert verifier.verify(token(key=rsa_key())).name == "joe"
    assert "no key is known" in refused(verifier, token(key=rsa_key(), kid="b"))


def test_keys_are_rotated_without_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    path = tmp_path / "jwks.json"
    write_jwks(path, jwk(rsa_key(0), "a"))
    verifier = TokenVerifier(TokenSettings(jwks_file=str(path)), lambda: now)
    old, new = token(key=rsa_key(0), kid="a"), token(key=rsa_key(1), kid="b")
    verifier.verify(old)
    write_jwks(path, jwk(rsa_key(1), "b"), jwk(rsa_key(2), "c"))
    refused(verifier, new)  # not looked at more than once a second
    now += 1
    verifier.verify(new)
    refused(verifier, old)
    path.write_text("{")
    now += 1
    verifier.verify(new)
    assert "keys of before stay" in caplog.text
    path.unlink()
    now += 1
    verifier.verify(new)
    write_jwks(path, jwk(rsa_key(0), "a"))
    now += 1
    verifier.verify(old)


def test_time() -> None:
    patient = TokenVerifier(TokenSettings(secret=SECRET, leeway_s=60))
    strict = TokenVerifier(TokenSettings(secret=SECRET, leeway_s=0))
    late, early = token(lasts=-30), token(nbf=int(time.time()) + 30)
    assert patient.verify(late).name == patient.verify(early).name == "joe"
    assert refused(strict, late) == refused(BY_SECRET, late) == "the token has expired"
    assert refused(strict, early) == refused(BY_SECRET, early) == "the token is not valid yet"
    assert strict.verify(token(lasts=None)).name == "joe"
    for nonsense in ("soon", True, 1e400, -1):
        refused(strict, token(exp=nonsense))


def test_audience_and_issuer() -> None:
    settings = TokenSettings(secret=SECRET, audience="push", issuer="https://id.example")
    strict = TokenVerifier(settings)

    def of(**claims: Any) -> str:
        return token("joe", **{name: value for name, value in claims.items() if value})

    here = "https://id.example"
    assert strict.verify(of(aud="push", iss=here)).name == "joe"
    assert strict.verify(of(aud=["shop", "push"], iss=here)).name == "joe"
    assert "audience" in refused(strict, of(aud="shop", iss=here))
    assert "issuer" in refused(strict, of(aud="push", iss="https://evil.example"))
    for aud, iss in (("push", ""), ("", here)):
        assert "lacks" in refused(strict, of(aud=aud, iss=iss))
    assert BY_SECRET.verify(of(aud="whoever", iss="anybody")).name == "joe"


def test_which_claim_is_the_user() -> None:
    verifier = TokenVerifier(TokenSettings(secret=SECRET, user_claim="preferred_username"))
    assert verifier.verify(token(preferred_username="ann")).name == "ann"
    assert verifier.verify(token(preferred_username=17)).name == "17"
    assert "lacks" in refused(verifier, token())
    for name in ("", "a%2Fb", "a\nb", "x" * 257, True, ["joe"], {"a": 1}, 1.5):
        assert "user name" in refused(verifier, token(preferred_username=name)), name


def test_without_a_token() -> None:
    nothing = Credentials("", {}, {}, "", "/ws")
    assert BY_SECRET(nothing) == Principal("", to_prove=True)  # CONNECT may still bring one
    strict = TokenVerifier(TokenSettings(secret=SECRET, taken_from="handshake"))
    with pytest.raises(BadToken, match="needed"):
        strict(nothing)
    optional = TokenVerifier(TokenSettings(secret=SECRET, required=False))
    assert optional(nothing) == Principal("")
    with pytest.raises(BadToken, match="malformed"):
        optional(Credentials("x", {}, {}, "", "/ws"))


def test_when_a_session_ends() -> None:
    expires = int(time.time()) + 60
    verifier = TokenVerifier(TokenSettings(secret=SECRET, end_at_expiry=True, leeway_s=2))
    assert verifier.verify(token(exp=expires)).ends_at == expires + 2
    assert verifier.verify(token(lasts=None)).ends_at is None


@given(st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))))
def test_anything_is_refused(text: str) -> None:
    refused(BY_SECRET, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "sub", "aud", "iss", "jti", "x"]), JSON))
def test_any_signed_claims_are_taken_or_refused(claims: dict[str, Any]) -> None:
    with contextlib.suppress(BadToken):
        assert BY_SECRET.verify(signed(json.dumps(claims).encode())).name


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 3000 + b"]" * 3000,
        b'{"sub":' + b"9" * 5000 + b"}",
        b'{"exp":' + b"9" * 4000 + b"}",
        b"\xff",
        b"[]",
    ],
)
def test_what_breaks_parsers(payload: bytes) -> None:
    refused(BY_SECRET, signed(payload))
    refused(BY_SECRET, f"{b64(payload)}.{b64(payload)}.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"short", "too short"),
        (b"", "too short"),
        (public_pem(rsa_key()), "not a secret"),
    ],
)
def test_secrets_that_are_none(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        TokenVerifier(TokenSettings(secret_file=str(path)))


def test_keys_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for content, said in (
        (private_pem(rsa_key()), "is a private key"),
        (public_pem(rsa_key(bits=1024)), "1024 bits is too small"),
        (SECRET.encode(), "no public key"),
        (b"x" * (256 * 1024 + 1), "larger than"),
    ):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=said):
            TokenVerifier(TokenSettings(public_key_file=str(path)))
    for text, said in (
        ("[]", "no JSON Web Key Set"),
        ("[" * 5000, "no JSON Web Key Set"),
        ('{"keys": {}}', "no list"),
        ('{"keys": [1, {"kty": "EC"}, {}]}', "no key that can be used"),
        (f'{{"keys": [{", ".join(["{}"] * 101)}]}}', "no list of 100"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=said):
            TokenVerifier(TokenSettings(jwks_file=str(path)))
    with pytest.raises(UsageError, match="cannot be read"):
        TokenVerifier(TokenSettings(jwks_file=str(tmp_path / "nowhere")))


def test_one_source_of_keys() -> None:
    with pytest.raises(UsageError, match="none is given"):
        TokenVerifier(TokenSettings())
    with pytest.raises(UsageError, match="secret and jwks_file"):
        TokenVerifier(TokenSettings(secret=SECRET, jwks_file="x"))
    with pytest.raises(UsageError, match="too short") as caught:
        TokenVerifier(TokenSettings(secret="hunter2"))
    assert "hunter2" not in str(caught.value)
    assert SECRET not in repr(TokenSettings(secret=SECRET))


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value",
    ['"%d"', "true", "false", "null", "NaN", "Infinity", "-Infinity", "-1", "1e300", "%d000", "[%d]", "{}"],
)
def test_a_time_that_is_no_number_of_seconds(name: str, value: str) -> None:
    """PyJWT makes a number of whatever it can: a text would be taken, and milliseconds last for ever."""
    soon = int(time.time()) + (60 if name == "exp" else -60)
    written = value % soon if "%" in value else value
    given = signed(f'{{"sub": "joe", "{name}": {written}}}'.encode())
    with pytest.raises(BadToken) as caught:
        BY_SECRET.verify(given)
    assert given not in str(caught.value)
    good = signed(f'{{"sub": "joe", "{name}": {soon}.5}}'.encode())
    assert BY_SECRET.verify(good).name == "joe"
