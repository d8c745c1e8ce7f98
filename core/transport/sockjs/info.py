"""What a SockJS service says of itself (docs/wire/sockjs.md §2, §8)."""

from __future__ import annotations

import asyncio

import msgspec

from ...errors import HandshakeRefused, TargetUnreachable
from .addresses import Base
from .connection import Call
from .cookies import Cookies
from .http import HttpPool

#: Longest body that is read.
_MAX_BODY = 64 * 1024
_BODY_SHOWN = 300


class Info(msgspec.Struct, frozen=True):
    """The answer of ``/info``, as far as a client goes by it.

    Attributes:
        websocket: Whether there are WebSockets.
        base_url: What to use instead of the URL that was given, if any.
    """

    websocket: bool = True
    base_url: str | None = None


class _Asking(Call):
    """A GET whose whole answer is awaited."""

    __slots__ = ("_body", "answered", "cookies", "status")

    def __init__(self, request: bytes) -> None:
        super().__init__(request, repeatable=True)
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.status = 0
        self.cookies: list[str] = []
        self._body = b""

    def head(self, status: int, cookies: list[str]) -> None:
        self.status = status
        self.cookies = cookies

    def body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > _MAX_BODY:
            self.abort()
            self.failed("an endless answer")

    def done(self) -> None:
        if not self.answered.done():
            self.answered.set_result(self._body)

    def failed(self, why: str) -> None:
        if not self.answered.done():
            self.answered.set_exception(TargetUnreachable(why))


async def fetch_info(pool: HttpPool, base: Base, cookies: Cookies, within: float) -> Info:
    """Ask a service for its ``/info``; cookies that it sets are kept.

    Raises:
        TargetUnreachable: Nobody answers in time; HandshakeRefused if it is no such answer. In the
            words of sockjs-client, "Cannot connect to server" (1002).
    """
    where = f"{base.shown}/info"
    tried = f"GET {where}"
    call = _Asking(base.request("GET", "/info", fresh=True))
    pool.start(base.origin, call)
    try:
        async with asyncio.timeout(within):
            body = await call.answered
    except TimeoutError:
        raise TargetUnreachable(
            f"{where} did not answer within {within:g} s",
            tried=tried,
            hint="the server is overloaded, paused, or a firewall drops the packets",
        ) from None
    except TargetUnreachable as error:
        raise TargetUnreachable(
            f"cannot connect to server: {where}: {error}",
            tried=tried,
            hint="check that the server runs and that host and port are right",
        ) from None
    finally:
        call.abort()
    if call.status == 200:
        try:
            info = msgspec.json.decode(body, type=Info)
        except (ValueError, RecursionError):
            pass
        else:
            cookies.take(call.cookies)
            return info
    said = f"HTTP {call.status}" if call.status != 200 else "something that is no SockJS information"
    text = body[:_BODY_SHOWN].decode("utf-8", "replace").strip()
    raise HandshakeRefused(
        f"cannot connect to server: {where} answered {said}" + (f": {text}" if text else ""),
        status=call.status,
        body=text,
        tried=tried,
        hint="is this the base URL of a SockJS service, and does the gateway have an instance for it?",
    )
