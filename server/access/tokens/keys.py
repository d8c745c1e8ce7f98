"""Keys by which tokens are verified, each with the one algorithm that it is for.

Files are looked at again once a second at most, and only when a token comes; one that has become
unreadable leaves the keys as they are.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from core.errors import UsageError
from core.reasons import reason_of

from ...settings.tokens import SECRET_VARIABLE, TokenSettings

logger = logging.getLogger("pushscope.tokens")

#: RFC 7518 §3.2: a key of the size of the hash, or larger.
_SHORTEST_SECRET: Final = 32
#: RFC 7518 §3.3.
_SMALLEST_RSA: Final = 2048
_LARGEST_FILE: Final = 256 * 1024
_MOST_KEYS: Final = 100
_LOOK_AGAIN_S: Final = 1.0
#: What a key of a set is good for, by its type; others are passed over.
_ALGORITHMS: Final = {"RSA": "RS256", "oct": "HS256"}


class Key(NamedTuple):
    """Something that verifies, and the only algorithm with which it does."""

    material: RSAPublicKey | bytes
    algorithm: str


#: By ``kid``; "" for a key that has none.
Keys = Mapping[str, Key]


class KeyRing:
    """The keys of one instance.

    Args:
        settings: Where they are.
        clock: Seconds that only grow.

    Raises:
        UsageError: there is not exactly one source, or no key can be had from it.
    """

    def __init__(self, settings: TokenSettings, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._path: Path | None = None
        self._looked_at = clock()
        self._stamp: tuple[int, ...] = ()
        self._parse: Callable[[bytes, str], Keys]
        path = _only_source(settings)
        if settings.secret:
            self._keys: Keys = {"": _secret_key(settings.secret.encode(), SECRET_VARIABLE)}
            return
        self._path = Path(path)
        self._parse = _parser_of(settings)
        self._stamp = _stamp_of(self._path)
        self._keys = self._read(self._path)

    def find(self, kid: str | None) -> Key | None:
        """The key that a token's head names; without a name the only one that there is."""
        self._look_again()
        if kid is not None and kid in self._keys:
            return self._keys[kid]
        # A single key without a name of its own serves whatever name the issuer gave it.
        if len(self._keys) == 1 and (kid is None or "" in self._keys):
            return next(iter(self._keys.values()))
        return None

    def _look_again(self) -> None:
        now = self._clock()
        if self._path is None or now - self._looked_at < _LOOK_AGAIN_S:
            return
        self._looked_at = now
        stamp = _stamp_of(self._path)
        if stamp in (self._stamp, ()):  # unchanged, or gone for the moment of a replacement
            return
        self._stamp = stamp
        try:
            self._keys = self._read(self._path)
        except UsageError as error:
            logger.warning("%s; the keys of before stay in use", error)
        else:
            logger.info("%s has changed: %d keys", self._path, len(self._keys))

    def _read(self, path: Path) -> Keys:
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST_FILE + 1)
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be read: {reason_of(error)}", tried="read the keys of access tokens"
            ) from error
        if len(data) > _LARGEST_FILE:
            raise UsageError(f"{path}: is larger than {_LARGEST_FILE} bytes", tried=f"read {path}")
        return self._parse(data, str(path))


def _only_source(settings: TokenSettings) -> str:
    sources = {
        "secret": settings.secret,
        "secret_file": settings.secret_file,
        "public_key_file": settings.public_key_file,
        "jwks_file": settings.jwks_file,
    }
    given = [name for name, value in sources.items() if value]
    if len(given) != 1:
        raise UsageError(
            f"access tokens need one source of keys, and {' and '.join(given) or 'none'} is given",
            hint=f"one of {SECRET_VARIABLE}, a file with a secret, a PEM file, a JWKS file",
        )
    return sources[given[0]]


def _parser_of(settings: TokenSettings) -> Callable[[bytes, str], Keys]:
    if settings.jwks_file:
        return _parse_jwks
    if settings.public_key_file:
        return _parse_pem
    return lambda data, source: {"": _secret_key(data.strip(), source)}


def _stamp_of(path: Path) -> tuple[int, ...]:
    """What changes with a file; () if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _secret_key(secret: bytes, source: str) -> Key:
    if b"-----BEGIN" in secret:
        raise UsageError(f"{source}: is a PEM key, not a secret", hint="a public key goes with RS256")
    if len(secret) < _SHORTEST_SECRET:
        raise UsageError(
            f"{source}: a secret of {len(secret)} bytes is too short for HS256",
            hint=f"at least {_SHORTEST_SECRET} bytes: openssl rand -hex 32",
        )
    return Key(secret, "HS256")


def _rsa_key(key: object, source: str) -> Key:
    if not isinstance(key, RSAPublicKey):
        raise UsageError(f"{source}: is no public RSA key", hint="openssl rsa -in private.pem -pubout")
    if key.key_size < _SMALLEST_RSA:
        raise UsageError(f"{source}: an RSA key of {key.key_size} bits is too small", hint="2048 or more")
    return Key(key, "RS256")


def _parse_pem(data: bytes, source: str) -> Keys:
    if b"PRIVATE KEY" in data:
        hint = "openssl rsa -in private.pem -pubout; the private one stays where tokens are made"
        raise UsageError(f"{source}: is a private key", hint=hint)
    try:
        return {"": _rsa_key(load_pem_public_key(data), source)}
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{source}: is no public key in PEM", hint="openssl rsa -in private.pem -pubout"
        ) from error


def _parse_jwks(data: bytes, source: str) -> Keys:
    try:
        content: Any = json.loads(data)
        listed: Any = content["keys"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{source}: is no JSON Web Key Set", hint='as in {"keys": [{"kty": "RSA", …}]}'
        ) from error
    if not isinstance(listed, list) or len(cast("list[Any]", listed)) > _MOST_KEYS:
        raise UsageError(f"{source}: keys is no list of {_MOST_KEYS} keys at most")
    keys: dict[str, Key] = {}
    for number, item in enumerate(cast("list[Any]", listed)):
        if not isinstance(item, dict):
            continue
        described = cast("dict[str, Any]", item)
        key = _jwk(described, f"{source}: key {number}")
        if key is not None:
            keys[str(described.get("kid", ""))] = key
    if not keys:
        raise UsageError(
            f"{source}: has no key that can be used", hint="RSA keys for RS256, symmetric ones for HS256"
        )
    return keys


def _jwk(item: dict[str, Any], source: str) -> Key | None:
    """One key of a set; None if it is for something else, or broken, which is logged."""
    algorithm = _ALGORITHMS.get(str(item.get("kty")))
    if algorithm is None or item.get("alg", algorithm) != algorithm or item.get("use", "sig") != "sig":
        return None
    try:
        material: Any = jwt.PyJWK.from_dict(item, algorithm=algorithm).key
        if isinstance(material, bytes):
            return _secret_key(material, source)
        # A set with private keys is not ours to have, but its public halves verify.
        public: Any = material if isinstance(material, RSAPublicKey) else material.public_key()
        return _rsa_key(public, source)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, UsageError) as error:
        logger.warning("%s is passed over: %s", source, error if isinstance(error, UsageError) else "broken")
        return None
