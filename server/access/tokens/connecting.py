"""Access tokens in STOMP's CONNECT, where browsers put them: they can set no headers on a handshake.

A token comes as ``Authorization: Bearer``, ``access_token`` or ``token``; names of headers are compared
without regard to case here. It is read, taken out of the frame, and goes nowhere else: not to interceptors,
not to the broker.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

import msgspec

from core.protocol import Connect

from ...messages.counters import Counters
from ...messages.refusal import Refusal
from ...settings.tokens import TokenSettings
from ..admission import Principal
from .handshake import LONGEST_TOKEN, BadToken
from .verifier import TokenVerifier

logger = logging.getLogger("pushscope.tokens")

_NAMES: Final = frozenset({"authorization", "access_token", "token"})
_SCHEME: Final = "bearer "


class ConnectTokens:
    """Checks the tokens of CONNECT frames; the router asks it before anybody else.

    Args:
        settings: Where tokens are taken from.
        verifier: Checks them.
        counters: Counts refusals.
    """

    def __init__(self, settings: TokenSettings, verifier: TokenVerifier, counters: Counters) -> None:
        self._settings = settings
        self._verifier = verifier
        self._counters = counters

    @property
    def within_s(self) -> float:
        """How long a client has for a CONNECT that proves who it is."""
        return self._settings.connect_within_s

    def prove(self, principal: Principal, event: Connect) -> tuple[Principal, Connect]:
        """Who a client is after its CONNECT, and the CONNECT without its token.

        Args:
            principal: Whom the handshake named.
            event: The frame.

        Raises:
            Refusal: It needs a token and has none, or has one that is not valid or not taken here.
        """
        try:
            return self._principal(principal, _token_of(event)), _without_token(event)
        except BadToken as error:
            raise self.refusal(str(error)) from None

    def refusal(self, words: str) -> Refusal:
        """A refusal in these words, counted and logged."""
        self._counters.unauthorized += 1
        logger.info("a CONNECT is refused: %s", words)
        return Refusal(words, "CONNECT brings the token as Authorization: Bearer <token>.")

    def too_late(self) -> Refusal:
        """The refusal of a client that did not prove in time who it is."""
        return self.refusal(f"no CONNECT with an access token within {self.within_s:g} s")

    def _principal(self, known: Principal, token: str) -> Principal:
        if not token:
            if known.to_prove:
                raise BadToken("an access token is needed in CONNECT")
            return known
        if self._settings.taken_from == "handshake" and not known.name:
            raise BadToken("access tokens are taken from the handshake only, not from CONNECT")
        found = self._verifier.verify(token)
        if known.name and known.name != found.name:
            raise BadToken("the tokens of handshake and CONNECT are of different users")
        return found


def _token_of(event: Connect) -> str:
    """The one token of a frame, "" if there is none.

    Raises:
        BadToken: there are several that differ, one is too long, or it is not a token of ours.
    """
    tokens = {token for token in _found(event) if token}
    if len(tokens) > 1:
        raise BadToken("there is more than one access token")
    token = tokens.pop() if tokens else ""
    if len(token) > LONGEST_TOKEN:
        raise BadToken(f"the access token is longer than {LONGEST_TOKEN} characters")
    return token


def _found(event: Connect) -> Iterator[str]:
    for name, value in (*event.frame.headers.items(), *event.frame.repeated):
        if name.lower() not in _NAMES:
            continue
        if name.lower() != "authorization":
            yield value.strip()
        elif value[: len(_SCHEME)].lower() == _SCHEME:
            yield value[len(_SCHEME) :].strip()
        elif value.strip() and value.strip().lower() != _SCHEME.strip():
            # Somebody means to prove something by it: letting him in as nobody would hide that it failed.
            raise BadToken("Authorization must be Bearer and a token")


def _without_token(event: Connect) -> Connect:
    frame = event.frame
    if not any(name.lower() in _NAMES for name in frame.headers):
        return event
    headers = {name: value for name, value in frame.headers.items() if name.lower() not in _NAMES}
    repeated = tuple(pair for pair in frame.repeated if pair[0].lower() not in _NAMES)
    return msgspec.structs.replace(
        event, frame=msgspec.structs.replace(frame, headers=headers, repeated=repeated)
    )
