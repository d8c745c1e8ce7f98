"""Access tokens of handshakes: where they are found, what is asked about them, how refusals read.

A token comes as ``Authorization: Bearer`` or as ``?access_token=``, which is all that a page's WebSocket can
do (RFC 6750 §2.1, §2.3). Refusals are 401 with that document's words, before anything is upgraded.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final, NoReturn
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from ...messages.counters import Counters
from ..admission import Denied, Header, Opening, Principal, Scope, is_usable_name

logger = logging.getLogger("pushscope.tokens")

#: Characters of a token.
LONGEST_TOKEN: Final = 8 * 1024
#: How long an application may take to find out who somebody is.
_PATIENCE_S: Final = 10.0
_MOST_FIELDS: Final = 100
_PARAMETER: Final = b"access_token"
#: What RFC 6750 §3 leaves out of an error's description.
_UNQUOTABLE: Final = re.compile(r"[^ -~]")
_SCHEME: Final = b"bearer "


class Credentials(msgspec.Struct, frozen=True):
    """What a handshake brings along; nothing of it is shown by ``repr``.

    Attributes:
        token: The access token, "" if there is none.
        headers: Names in lower case, and values; of several of one name the last.
        query: Fields of the query, without the token.
        client: Address of the other side, "" if it is not known.
        path: Path of the request.
    """

    token: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    client: str
    path: str

    def __repr__(self) -> str:
        return f"Credentials(client={self.client!r}, path={self.path!r}, …)"


class BadToken(Exception):
    """A token is not valid; the words are for the client and must not quote the token."""


#: Finds out who somebody is: a principal, or None to refuse; may be a coroutine function, may raise
#: :class:`BadToken` to say why.
Authenticate = Callable[[Credentials], Principal | Awaitable[Principal | None] | None]


class ByToken:
    """Lets in whom a function knows by its credentials; an ``Admission``.

    Args:
        authenticate: That function.
        counters: Where refusals are counted.
    """

    def __init__(self, authenticate: Authenticate, counters: Counters) -> None:
        self._authenticate = authenticate
        self._counters = counters

    async def admit(self, scope: Scope) -> Principal | None:
        """The principal of a handshake.

        Raises:
            Denied: 401, or 500 and 503 if the application could not say.
        """
        client = scope.get("client")
        where = client[0] if client else ""
        try:
            credentials = _credentials(scope, where)
        except BadToken as error:
            self._refuse(where, str(error), "invalid_request")
        principal = await self._ask(credentials)
        if principal is None:
            words = "the token is not valid" if credentials.token else "an access token is needed"
            self._refuse(where, words, "invalid_token" if credentials.token else "")
        return principal

    async def recognises(self, owner: Opening, scope: Scope, *, bound: bool) -> bool:
        """Whether a later request has the same token, one of the same user, or none.

        A token that has expired since is still the one that opened the session.
        """
        try:
            token = token_of(scope.get("query_string", b""), scope["headers"])
        except BadToken:
            return False
        if not token and not bound:
            return True
        if token and hmac.compare_digest(token.encode(), token_of(owner.query, owner.headers).encode()):
            return True
        principal = await self.admit(scope)
        return principal is not None and principal.name == owner.user

    async def _ask(self, credentials: Credentials) -> Principal | None:
        try:
            found = self._authenticate(credentials)
            if inspect.isawaitable(found):
                async with asyncio.timeout(_PATIENCE_S):
                    found = await found
            if found is not None and not is_usable_name(found.name):
                raise BadToken("the user's name cannot be used")
        except BadToken as error:
            words = _hidden(str(error), credentials.token)
            self._refuse(credentials.client, words, "invalid_token" if credentials.token else "")
        except TimeoutError:
            logger.warning("authentication took longer than %g s", _PATIENCE_S)
            raise Denied(503, "authentication takes too long", (b"retry-after", b"1")) from None
        except Exception:
            logger.error("authentication failed\n%s", _hidden(traceback.format_exc(), credentials.token))
            raise Denied(500, "authentication failed") from None
        return found

    def _refuse(self, client: str, words: str, code: str) -> NoReturn:
        """401; without a code where no token came, as RFC 6750 §3.1 wants it."""
        self._counters.unauthorized += 1
        words = " ".join(words.split())  # it becomes a line of a head, and of a log
        logger.info("a handshake of %s is refused: %s", client or "a client", words)
        challenge = 'Bearer realm="pushscope"'
        if code:
            quotable = _UNQUOTABLE.sub("?", words.replace("\\", "/").replace('"', "'"))
            challenge += f', error="{code}", error_description="{quotable}"'
        raise Denied(401, words, (b"www-authenticate", challenge.encode()))


def _hidden(text: str, token: str) -> str:
    """A text of the application's without the token."""
    return text.replace(token, "***") if token else text


def token_of(query: bytes, headers: Sequence[Header]) -> str:
    """The access token of a request, "" if there is none.

    Raises:
        BadToken: there are several that differ, or it is too long.
    """
    found = {*_of_headers(headers), *_of_query(query)}
    if len(found) > 1:
        raise BadToken("there is more than one access token")
    token = found.pop() if found else b""
    if len(token) > LONGEST_TOKEN:
        raise BadToken(f"the access token is longer than {LONGEST_TOKEN} characters")
    return token.decode("latin-1")


def _of_headers(headers: Sequence[Header]) -> Iterator[bytes]:
    for name, value in headers:
        if name == b"authorization" and value[: len(_SCHEME)].lower() == _SCHEME:
            yield value[len(_SCHEME) :].strip()


def _of_query(query: bytes) -> Iterator[bytes]:
    # The name is not decoded: what an access log does not know for a token is none.
    for field in query.split(b"&") if _PARAMETER in query else ():
        name, _, value = field.partition(b"=")
        if name == _PARAMETER and value:
            yield unquote_to_bytes(value.replace(b"+", b" "))


def _credentials(scope: Scope, client: str) -> Credentials:
    query: bytes = scope.get("query_string", b"")
    token = token_of(query, scope["headers"])
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        fields = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise BadToken(f"the query has more than {_MOST_FIELDS} fields") from None
    fields.pop(_PARAMETER.decode(), None)
    return Credentials(token, headers, fields, client, scope["path"])
