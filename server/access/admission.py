"""Who may connect to an instance, and as whom: asked once, before a handshake is answered.

The ways to know it have one shape, :class:`Admission`: nobody is asked (:class:`Anyone`), the client says
so itself (:class:`Unproven`), the host of a mounted endpoint knows its users (:class:`NamedByHost`), or an
access token proves it (:mod:`server.access.tokens`).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import msgspec

Scope = dict[str, Any]
Header = tuple[bytes, bytes]

#: Names the user of a handshake, given its ASGI scope: "" for an anonymous one, None to refuse it.
UserOf = Callable[[Scope], str | Awaitable[str | None] | None]

_LONGEST_NAME: Final = 256
_MOST_FIELDS: Final = 50
#: Under which name the attributes of a session have what was proven about its client.
PRINCIPAL: Final = "principal"


class Principal(msgspec.Struct, frozen=True):
    """Who a client is. Nothing that it says later changes it.

    Attributes:
        name: Name of the user, "" for an anonymous one.
        ends_at: Unix time at which the session is closed with 4401; None for never.
        claims: What else is known. Handlers and interceptors find the principal in the session's
            attributes as ``principal``, if there are any.
        to_prove: Whether CONNECT still has to prove it, by an access token.
    """

    name: str
    ends_at: float | None = None
    claims: Mapping[str, Any] = {}
    to_prove: bool = False


class Denied(Exception):
    """A handshake is refused.

    Args:
        status: HTTP status of the answer.
        sentence: Its body, for people.
        headers: Further headers of the answer, in lower case.
    """

    def __init__(self, status: int, sentence: str, *headers: Header) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers


class Opening(Protocol):
    """What is remembered of the request that began a session."""

    @property
    def query(self) -> bytes:
        """The raw query."""
        ...

    @property
    def headers(self) -> Sequence[Header]:
        """Names in lower case, and values."""
        ...

    @property
    def user(self) -> str:
        """Name of the session's user, "" for nobody."""
        ...


class Admission(Protocol):
    """Decides about handshakes; belongs to one event loop."""

    async def admit(self, scope: Scope) -> Principal | None:
        """Who asks for a connection; None if nobody is named, so that CONNECT may name the user.

        Raises:
            Denied: It gets none.
        """
        ...

    async def recognises(self, owner: Opening, scope: Scope, *, bound: bool) -> bool:
        """Whether a later request of a session may come from its owner (SockJS, docs/wire/sockjs.md §9).

        Args:
            owner: The request that began the session.
            scope: The later one.
            bound: Whether it has to name its user again.

        Raises:
            Denied: What it brings along is not valid.
        """
        ...


class Anyone:
    """Everybody may come, as nobody in particular."""

    async def admit(self, scope: Scope) -> Principal | None:
        """Nobody."""
        return None

    async def recognises(self, owner: Opening, scope: Scope, *, bound: bool) -> bool:
        """Everybody is alike."""
        return True


class Unproven:
    """``?user=`` names the user, which anybody can claim to be; for demonstrations and tests."""

    async def admit(self, scope: Scope) -> Principal | None:
        """The user of the query, or None.

        Raises:
            Denied: 400 for too long a query.
        """
        name = _user_of_query(scope.get("query_string", b""))
        return None if name is None else Principal(name)

    async def recognises(self, owner: Opening, scope: Scope, *, bound: bool) -> bool:
        """Whether the query names the same user."""
        return not bound or (_user_of_query(scope.get("query_string", b"")) or "") == owner.user


class NamedByHost:
    """The host of a mounted endpoint names its users, or refuses with 403."""

    def __init__(self, user_of: UserOf) -> None:
        self._user_of = user_of

    async def admit(self, scope: Scope) -> Principal | None:
        """Whom the host says it is."""
        found = self._user_of(scope)
        name = await found if inspect.isawaitable(found) else found
        if name is None:
            raise Denied(403, "you may not connect")
        return Principal(name)

    async def recognises(self, owner: Opening, scope: Scope, *, bound: bool) -> bool:
        """Whether the host names the same user again."""
        if not bound:
            return True
        try:
            principal = await self.admit(scope)
        except Denied:
            return False
        return principal is not None and principal.name == owner.user


def is_usable_name(name: str) -> bool:
    """Whether a user may be called so: it becomes a segment of destinations, and a header."""
    return "%2F" not in name and len(name) <= _LONGEST_NAME and name.isprintable()


def _user_of_query(query: bytes) -> str | None:
    if b"user=" not in query:
        return None
    try:
        fields = parse_qs(query.decode("latin-1"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Denied(400, f"the query has more than {_MOST_FIELDS} fields") from None
    return fields.get("user", [None])[0]
