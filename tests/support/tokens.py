"""Keys and access tokens as an identity provider makes them."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import RSAAlgorithm

SECRET = "a-secret-of-the-tests-that-is-long-enough"


@functools.cache
def rsa_key(number: int = 0, bits: int = 2048) -> RSAPrivateKey:
    """A private key; the same one for the same number."""
    return generate_private_key(65537, bits)


def public_pem(key: RSAPrivateKey) -> bytes:
    """Its public half as a file has it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: RSAPrivateKey) -> bytes:
    """The key as a file has it that should not lie about."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def jwk(key: RSAPrivateKey, kid: str, **more: Any) -> dict[str, Any]:
    """Its public half as an entry of a set."""
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


def write_jwks(path: Path, *keys: dict[str, Any]) -> str:
    """Put a set into a file, all at once as a good rotation does."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"keys": keys}))
    new.replace(path)
    return str(path)


def token(
    user: str = "joe",
    *,
    key: RSAPrivateKey | str = SECRET,
    kid: str | None = None,
    lasts: float | None = 600,
    **claims: Any,
) -> str:
    """A token: RS256 with a private key, HS256 with a secret."""
    content: dict[str, Any] = {"sub": user, **claims}
    if lasts is not None:
        content.setdefault("exp", int(time.time() + lasts))
    algorithm = "HS256" if isinstance(key, str) else "RS256"
    return jwt.encode(content, key, algorithm, headers={"kid": kid} if kid else None)


def b64(data: bytes) -> str:
    """As in tokens: without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(head: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    return f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}.{b64(signature)}"


def signed(payload: bytes, secret: str = SECRET) -> str:
    """Anything, well signed with HS256."""
    text = f"{b64(json.dumps({'alg': 'HS256'}).encode())}.{b64(payload)}"
    return f"{text}.{b64(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"
