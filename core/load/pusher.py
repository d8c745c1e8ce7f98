"""Asks instances to push: an open loop over keep-alive HTTP connections.

How a push counts (the ledger relies on it). Every push is *attempted*. The answer's ``verdict``:

- ``accepted``: a 2xx answer; the push is expected to arrive.
- ``refused``: any other answer, or the push never left this process (``sent_ns`` is 0).
- ``unknown``: its bytes were sent, and the connection ended, or the time was up, before an answer.
  The instance may or may not have taken it. It counts as refused, unless a delivery of it shows
  up: then it was accepted after all. It is never sent a second time, which could make a duplicate.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from collections.abc import Container, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit
from zlib import crc32

import msgspec

from ..clock import now_ns
from ..errors import UsageError
from ..push_token import push_headers
from .lane import Address, Lane, OnAnswer, PushAnswer, Request

#: Connections per instance; each carries one push at a time.
LANES = 8

#: Seconds between looks at what takes too long.
_LOOK = 0.5

#: Seconds after which an idle connection is closed; uvicorn's default is 5, as is Node's.
_IDLE = 4.0

#: Pushes that may wait in one lane.
_QUEUE = 10_000


class _Target:
    """The lanes of one instance, and the beginning of every request to it."""

    def __init__(self, base: str, path: str, head: bytes, lanes: list[Lane], *, guarded: bool) -> None:
        self.base = base
        self.guarded = guarded
        self.path = path
        self.head = head
        self.lanes = lanes


class Pusher:
    """An async context manager; leaving it ends all connections.

    Order: pushes to one user through one instance are sent, and answered, in the order of the
    calls, because they share a lane; different users may share one. Nothing waits for the answer of
    another lane, so a slow instance does not slow the schedule down (no coordinated omission).

    Args:
        targets: Base URL of the push API of each instance, by id.
        api: ``push`` sends ``POST /push``, ``test`` sends ``GET /test?username=``.
        lanes: Connections per instance.
        timeout: Seconds for an answer, and for the way into the connection.
        headers: Further request headers, such as a token.
        test_path: Path for ``test``; ``{user}`` is replaced.
        ssl: Context for ``https:`` targets.
    """

    def __init__(
        self,
        targets: Mapping[str, str],
        *,
        api: Literal["push", "test"] = "push",
        lanes: int = LANES,
        timeout: float = 10.0,
        headers: Iterable[tuple[str, str]] = (),
        test_path: str = "/test?username={user}",
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self._api = api
        self._lanes = lanes
        self._timeout = timeout
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self._test_path = test_path
        self._ssl = ssl
        self._encode = msgspec.json.Encoder().encode
        self._targets: dict[str, _Target] = {}
        self._old: list[Lane] = []
        self._group = asyncio.TaskGroup()
        self._timer: asyncio.TimerHandle | None = None
        self.set_targets(targets)

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._timer = asyncio.get_running_loop().call_later(_LOOK, self._look)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for lane in self._all():
            lane.close("the pusher is closed")
        await self._group.__aexit__(kind, error, trace)

    @property
    def waiting(self) -> int:
        """Pushes without an answer yet."""
        return sum(lane.waiting for lane in self._all())

    def set_targets(self, targets: Mapping[str, str], guarded: Container[str] = ()) -> None:
        """Use these instances from now on; lanes of an unchanged one stay. What still waits for
        one that is gone is refused; what was sent to it may still be answered. Those of ``guarded`` are
        told the token of ``PUSHSCOPE_TOKEN``.

        Raises:
            UsageError: the token cannot be a header, or a URL is none.
        """
        changed = [
            via
            for via, target in self._targets.items()
            if (targets.get(via), via in guarded) != (target.base, target.guarded)
        ]
        for via in changed:
            self._old = [lane for lane in self._old if lane.waiting]
            for lane in self._targets.pop(via).lanes:
                lane.retire("its instance is no longer a target")
                self._old.append(lane)
        for via, base in targets.items():
            if via not in self._targets:
                self._targets[via] = self._target(base, guarded=via in guarded)

    def push(
        self,
        via: str,
        user: str | None,
        destination: str,
        payload: str,
        headers: Mapping[str, str],
        done: OnAnswer,
        *,
        key: Any = None,
        intended_ns: int = 0,
        confirm: bool = False,
    ) -> None:
        """Ask ``via`` to push to ``user`` (None: to everybody on the destination).

        Returns at once. ``done`` is called exactly once, later, with the answer; it must not
        raise. ``intended_ns`` is when this was to be sent (now, if left out). With ``confirm`` the
        instance answers when the broker has the push (``push`` only).

        Raises:
            UsageError: no such target.
        """
        target = self._targets.get(via)
        if target is None:
            known = ", ".join(self._targets) or "none"
            raise UsageError(f"no push target called {via!r}", hint=f"known: {known}")
        if self._api == "test":
            path = target.path + self._test_path.replace("{user}", quote(user or "", safe=""))
            data = b"GET %b%b" % (path.encode(), target.head)
        else:
            fields: dict[str, Any] = {"destination": destination, "payload": payload}
            if user is not None:
                fields["user"] = user
            if headers:
                fields["headers"] = headers
            if confirm:
                fields["confirm"] = True
            body = self._encode(fields)
            data = b"%b%d\r\n\r\n%b" % (target.head, len(body), body)
        lane = target.lanes[crc32((user or "").encode()) % len(target.lanes)]
        time = now_ns()
        lane.submit(Request(data, done, key, via, intended_ns or time, time))

    async def ask(
        self, via: str, user: str | None, destination: str, payload: str, headers: Mapping[str, str]
    ) -> PushAnswer:
        """Push once and wait for the answer."""
        answer: asyncio.Future[PushAnswer] = asyncio.get_running_loop().create_future()

        def done(result: PushAnswer) -> None:
            if not answer.done():
                answer.set_result(result)

        self.push(via, user, destination, payload, headers, done)
        return await answer

    # ---- inside -----------------------------------------------------------------------------

    def _all(self) -> list[Lane]:
        return [lane for target in self._targets.values() for lane in target.lanes] + self._old

    def _target(self, base: str, *, guarded: bool) -> _Target:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"not a push address: {base!r}", hint="write http://HOST:PORT")
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        context = (self._ssl or tls.create_default_context()) if secure else None
        path = parts.path.rstrip("/")
        token = "".join(f"{name}: {value}\r\n" for name, value in push_headers().items()) if guarded else ""
        common = f"host: {parts.netloc.rpartition('@')[2]}\r\n{token}{self._headers}"
        if self._api == "test":
            head = f" HTTP/1.1\r\n{common}\r\n"
        else:
            head = f"POST {path}/push HTTP/1.1\r\n{common}content-type: application/json\r\ncontent-length: "
        address = Address(parts.hostname, port, context)
        lanes = [Lane(address, self._spawn, _QUEUE) for _ in range(self._lanes)]
        return _Target(base, path, head.encode(), lanes, guarded=guarded)

    def _spawn(self, lane: Lane) -> None:
        self._group.create_task(lane.open(self._timeout))

    def _look(self) -> None:
        time = now_ns()
        self._old = [lane for lane in self._old if lane.waiting]
        for lane in self._all():
            lane.look(time, int(self._timeout * 1e9), int(_IDLE * 1e9))
        self._timer = asyncio.get_running_loop().call_later(_LOOK, self._look)
