"""The push API: ``POST /push`` and ``GET /test``, as one function from request to answer.

HTTP is most of what a push costs, so there is no framework here: the same function serves the
protocol class that parses HTTP itself (:mod:`.fast_http`) and any ASGI server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import msgspec

from core.errors import BrokerRefused, BrokerUnavailable

from ..access.provenance import TELLING
from ..access.rule import AccessRule
from ..users.pushes import BadPush, PushAnswer, Pushes, decode_push

logger = logging.getLogger("pushscope.server")

#: Bytes of the body of a push.
LARGEST_BODY: Final = 1024 * 1024
_MOST_KNOWN_HOSTS: Final = 64
_MOST_KNOWN_HEADS: Final = 1024
_JSON: Final = b"application/json"
#: What browsers say of requests that another site's page makes; no CORS preflight protects a GET.
_FOREIGN_SITES: Final = (b"cross-site", b"same-site")
#: Headers over which a request is looked at again, also if it is for a known name.
_TELLING: Final = TELLING | {b"origin"}

Headers = Sequence[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """A status, a body, and headers beyond its type and length."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


_encode = msgspec.json.Encoder().encode


def _failed(status: int, error: str, field: str = "", **extra: str) -> Answer:
    content = {"error": error, **({"field": field} if field else {}), **extra}
    return Answer(status, _encode(content))


class PushApi:
    """Answers ``/push`` and ``/test``."""

    #: The paths that are served.
    paths: Final = (b"/push", b"/test")

    def __init__(self, pushes: Pushes, rule: AccessRule) -> None:
        self._pushes = pushes
        self._rule = rule
        self._known_hosts: set[bytes] = set()
        #: Heads of pushes that were parsed and not refused, with the length of the body.
        self.known_heads: dict[bytes, int] = {}

    def stop(self) -> None:
        """Take no pushes any more: the instance is about to stop."""
        self._pushes.stopping = True

    def answer(
        self,
        method: bytes,
        path: bytes,
        query: bytes,
        headers: Headers,
        body: bytes,
        later: Callable[[Answer], None],
    ) -> Answer | None:
        """Do what a request asks for.

        Args:
            method: Upper-case method.
            path: One of :attr:`paths`.
            query: The raw query.
            headers: Names in lower case, and values.
            body: The whole body.
            later: Takes the answer when None was returned (``"confirm": true``).
        """
        if refused := self._refused(method, path, headers):
            return refused
        return self._test(query) if path == b"/test" else self._push(body, later)

    def push(self, body: bytes) -> Answer:
        """Do a push whose head was in order and whose body asks for no confirmation."""
        try:
            request = decode_push(body)
            if request.confirm:  # written with an escape, or we would not be here
                raise BadPush("confirm must be written without escapes", "confirm")
            return _accepted(self._pushes.push(request))
        except BadPush as error:
            return _failed(400, str(error), error.field)
        except BrokerUnavailable as error:
            return _unavailable(error)
        except Exception:
            return _broken()

    def remember(self, head: bytes, length: int) -> None:
        """Note the head of a push that need not be parsed again."""
        if len(self.known_heads) >= _MOST_KNOWN_HEADS:
            self.known_heads.clear()
        self.known_heads[head] = length

    def _push(self, body: bytes, later: Callable[[Answer], None]) -> Answer | None:
        if b"confirm" not in body:
            return self.push(body)
        try:
            request = decode_push(body)
            if request.confirm:
                return self._confirmed(request, later)
            return _accepted(self._pushes.push(request))
        except BadPush as error:
            return _failed(400, str(error), error.field)
        except BrokerUnavailable as error:
            return _unavailable(error)
        except Exception:
            return _broken()

    def _test(self, query: bytes) -> Answer:
        names = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=20).get("username")
        if not names or not names[0]:
            return _failed(400, "the query must name a user: /test?username=lijian", "username")
        try:
            self._pushes.test(names[0])
        except BadPush as error:
            return _failed(400, str(error), "username")
        except BrokerUnavailable as error:
            return _unavailable(error)
        except Exception:
            return _broken()
        return Answer(200)

    def _confirmed(self, request: Any, later: Callable[[Answer], None]) -> Answer | None:
        """Answer when the broker has confirmed, maybe at once."""
        outcome: list[Answer] = []
        accepted: list[PushAnswer] = []

        def done(error: BrokerUnavailable | None) -> None:
            if not accepted:  # still inside push(): there was nothing for the broker to confirm
                outcome.append(Answer(202))
                return
            later(_accepted(accepted[0]) if error is None else _unavailable(error))

        answer = self._pushes.push(request, done)
        if outcome:
            return _accepted(answer)
        accepted.append(answer)
        return None

    def _refused(self, method: bytes, path: bytes, headers: Headers) -> Answer | None:
        allowed = b"GET" if path == b"/test" else b"POST"
        if method != allowed:
            failed = _failed(405, f"{path.decode()} takes {allowed.decode()} only")
            return failed._replace(headers=((b"allow", allowed),))
        content_type = b""
        known_host = suspicious = False
        for name, value in headers:
            if name == b"content-type":
                content_type = value
            elif name == b"host":
                known_host = value in self._known_hosts  # filled where no token is needed only
            elif name in _TELLING or (name == b"sec-fetch-site" and value in _FOREIGN_SITES):
                suspicious = True
        if (suspicious or not known_host) and (refused := self._refused_closely(headers)):
            return refused
        if method == b"POST" and content_type.partition(b";")[0].strip().lower() != _JSON:
            # A page of another site can send text/plain without asking, but not this.
            return _failed(415, "the content type must be application/json", "content-type")
        return None

    def _refused_closely(self, headers: Headers) -> Answer | None:
        if refused := self._rule.refuse_write(headers):
            return _failed(refused.status, refused.reason)._replace(headers=refused.headers)
        if any(name == b"sec-fetch-site" and value in _FOREIGN_SITES for name, value in headers):
            return _failed(403, "a page of another site may not push here")
        if self._rule.open_to_programs and len(self._known_hosts) < _MOST_KNOWN_HOSTS:
            self._known_hosts.update(value for name, value in headers if name == b"host")
        return None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """The same as an ASGI application, for any server."""
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > LARGEST_BODY:
                await _send_answer(send, too_large())
                return
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def later(answer: Answer) -> None:
            if not waiting.done():
                waiting.set_result(answer)

        path = b"/" + scope["path"].rsplit("/", 1)[-1].encode()
        method = scope["method"].encode()
        answer = self.answer(method, path, scope.get("query_string", b""), scope["headers"], body, later)
        await _send_answer(send, answer if answer is not None else await waiting)


def too_large() -> Answer:
    """The answer to a body over the limit."""
    return _failed(413, f"a push may have {LARGEST_BODY} bytes", "payload")


def _broken() -> Answer:
    """The answer to a push that met an error of ours: others of the same read get theirs."""
    logger.exception("a push failed")
    return _failed(500, "an error inside the instance; its log says more")


def _accepted(answer: PushAnswer) -> Answer:
    id, instance = answer.id, answer.instance
    names = id + instance
    if names.isascii() and names.isprintable() and '"' not in names and "\\" not in names:
        # Nearly every id; and the answer is a good part of what a push costs.
        content = f'{{"id":"{id}","instance":"{instance}","sessions":{answer.sessions}}}'
        return Answer(202, content.encode())
    return Answer(202, _encode(answer))


def _unavailable(error: BrokerUnavailable) -> Answer:
    extra = {"hint": error.hint} if error.hint else {}
    field = error.field if isinstance(error, BrokerRefused) else ""
    return _failed(400 if isinstance(error, BrokerRefused) else 503, str(error), field, **extra)


async def _send_answer(send: Callable[[dict[str, Any]], Awaitable[None]], answer: Answer) -> None:
    headers = [(b"content-length", str(len(answer.body)).encode()), *answer.headers]
    if answer.body:
        headers.append((b"content-type", _JSON))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
