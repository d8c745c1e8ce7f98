"""Verifies JWTs (RFC 7519) with keys that each are for one algorithm (RFC 8725 §3.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
import msgspec

from ...settings.tokens import TokenSettings
from ..admission import Principal, is_usable_name
from .handshake import BadToken, Credentials
from .keys import KeyRing

#: Why a token is refused: fixed words, so that nothing of the token gets into an answer or a log.
_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidAudienceError, "the token is for another audience"),
    (jwt.InvalidIssuerError, "the token is of another issuer"),
    (jwt.MissingRequiredClaimError, "the token lacks a claim that is needed"),
    (jwt.InvalidAlgorithmError, "the token's algorithm is not that of the key"),
    (jwt.InvalidSignatureError, "the token's signature is wrong"),
)
#: The end of the year 9999.
_LAST_TIME: Final = 253_402_300_799
_MALFORMED: Final = "the token is malformed"
#: What a hostile token can make a parser raise, besides its own errors.
_BROKEN: Final = (jwt.PyJWTError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError)


def _check_times(claims: Mapping[str, Any]) -> None:
    """Raise BadToken for a time that is none: RFC 7519 §2 wants a number, and PyJWT takes what it can.

    A text or a truth value is a mistake of the issuer, and so is a time in milliseconds, with which a token
    would never expire.
    """
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name, 0)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and 0 <= value <= _LAST_TIME):  # no NaN is in any range
            raise BadToken(f"the token's {name} is not a number of seconds since 1970")


class TokenVerifier:
    """Finds the principal of a JWT; an ``Authenticate``.

    Args:
        settings: What is checked.
        clock: Seconds that only grow, for reading files again.

    Raises:
        UsageError: the settings name no key.
    """

    def __init__(self, settings: TokenSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._keys = KeyRing(settings, clock)
        self._required = [settings.user_claim]
        if settings.audience:
            self._required.append("aud")
        if settings.issuer:
            self._required.append("iss")

    def __call__(self, credentials: Credentials) -> Principal:
        """The principal of a handshake.

        Raises:
            BadToken: there is no token and the handshake must have one, or it is not valid.
        """
        settings = self._settings
        if credentials.token:
            found = self.verify(credentials.token)
            late = settings.taken_from == "connect"
            return msgspec.structs.replace(found, to_prove=True) if late else found
        if settings.required and settings.taken_from == "handshake":
            raise BadToken("an access token is needed")
        return Principal("", to_prove=settings.required)

    def verify(self, token: str) -> Principal:
        """The principal of a token.

        Raises:
            BadToken: it is not valid.
        """
        try:
            claims = self._claims(token)
            _check_times(claims)
            expires = float(claims["exp"]) if "exp" in claims else None
        except _BROKEN as error:
            words = next((words for kind, words in _WORDS if isinstance(error, kind)), _MALFORMED)
            raise BadToken(words) from None  # the cause may quote the token
        settings = self._settings
        name = claims[settings.user_claim]
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(name, str) or not name or not is_usable_name(name):
            raise BadToken("the token's user name cannot be used")
        ends_at = None
        if expires is not None and settings.end_at_expiry:
            ends_at = expires + settings.leeway_s
        return Principal(name, ends_at, claims)

    def _claims(self, token: str) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid")
        key = self._keys.find(kid)
        if key is None:
            raise BadToken("no key is known by the token's kid" if kid else "the token names no key (kid)")
        settings = self._settings
        return jwt.decode(
            token,
            key.material,
            algorithms=[key.algorithm],  # the key's, whatever the token says
            audience=settings.audience or None,
            issuer=settings.issuer or None,
            leeway=settings.leeway_s,
            options={
                "verify_aud": bool(settings.audience),
                "verify_iss": bool(settings.issuer),
                "verify_sub": False,  # the user's claim is checked below, whichever it is
                "require": self._required,
            },
        )
