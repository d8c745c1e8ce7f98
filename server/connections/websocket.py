"""The STOMP endpoint: raw WebSocket on ``/ws`` and ``/ws/websocket``, as an ASGI application.

Under our own protocol class (:mod:`.fast_websocket`) the connection is handed over after the
handshake: bytes go straight to the transport and no task remains. Under any other ASGI server
the same application runs one task per connection and uses ASGI ``send``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final, Protocol

from core.errors import CloseCode
from core.protocol import SUBPROTOCOLS
from core.protocol.websocket import close_reason

from ..access.admission import Admission, Denied, Header, Principal
from ..access.origins import Origins
from ..dispatch.router import Router
from ..messages.framing import split_websocket_frames
from .gate import Gate, GateSession

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Where a protocol class that can be taken over puts itself in ``scope["extensions"]``.
TAKEOVER: Final = "pushscope.takeover"
_SUBPROTOCOLS: Final = frozenset(SUBPROTOCOLS.values())
#: How long a client has to answer a close and to take what was written before it.
CLOSE_S: Final = 2.0
#: Bytes that may wait for ASGI ``send`` before the session counts as full.
_HIGH_WATER: Final = 64 * 1024


class Takeover(Protocol):
    """A connection that the endpoint may take over after the handshake."""

    def take_over(self, gate: Gate[Any], principal: Principal | None) -> None:
        """From now on the connection talks to the gate itself; the ASGI task may end."""
        ...


class WebSocketEndpoint:
    """Accepts clients and gives them to the router."""

    def __init__(self, router: Router, origins: Origins, admission: Admission, largest: int) -> None:
        self._router = router
        self._largest = largest
        self._origins = origins
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        await receive()  # websocket.connect
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if foreign := self._origins.refuse(headers, scope.get("scheme", "ws")):
            await deny(scope, send, Denied(403, foreign))
            return
        if self._router.turns_away():
            await deny(scope, send, Denied(503, "too many clients"))
            return
        try:
            principal = await self._admission.admit(scope)
        except Denied as denied:
            await deny(scope, send, denied)
            return
        await send(
            {"type": "websocket.accept", "subprotocol": choose_subprotocol(scope.get("subprotocols", ()))}
        )
        await serve_accepted(self._router, principal, scope, receive, send, self._largest)


async def serve_accepted(
    gate: Gate[Any],
    principal: Principal | None,
    scope: Scope,
    receive: Receive,
    send: Send,
    largest: int,
) -> None:
    """Give a connection whose handshake is done to a gate, the quick way where the server has one.

    ``largest`` is the largest message for servers that have no limit, or another one.
    """
    takeover: Takeover | None = scope.get("extensions", {}).get(TAKEOVER)
    if takeover is not None:
        takeover.take_over(gate, principal)
        return

    def take(session: GateSession, message: dict[str, Any]) -> None:
        data = message.get("bytes")
        gate.receive(session, data if data is not None else message["text"].encode())

    await serve_over_asgi(gate, principal, take, receive, send, largest)


async def serve_over_asgi(
    gate: Gate[Any],
    principal: Principal | None,
    take: Callable[[Any, dict[str, Any]], None],
    receive: Receive,
    send: Send,
    largest: int,
) -> None:
    """Give a connection whose handshake is done to a gate, until it ends.

    Args:
        gate: What hears of the connection.
        principal: Whom the handshake named.
        take: Called with the session and each ``websocket.receive``, instead of the gate.
        receive: ASGI's.
        send: ASGI's.
        largest: Bytes of the largest message.
    """
    carrier = AsgiCarrier(gate)
    session: GateSession | None = None
    try:
        async with asyncio.timeout(None) as carrier.limit, asyncio.TaskGroup() as group:
            carrier.session = session = gate.open(carrier, principal)
            writer = group.create_task(carrier.run(send))
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    break
                if len(message.get("bytes") or message.get("text") or "") > largest:
                    # Other servers take more than ours.
                    gate.close(session, CloseCode.TOO_BIG, "the message is too big")
                else:
                    take(session, message)
            writer.cancel()
    except TimeoutError:
        pass  # closed by us, and the client took neither what was written nor the close
    except asyncio.CancelledError:  # the server stops; hypercorn would say 1011
        with suppress(Exception):
            reason = "the server stops"
            await send({"type": "websocket.close", "code": CloseCode.GOING_AWAY, "reason": reason})
        raise
    finally:
        if session is not None:
            gate.closed(session)


class AsgiCarrier:
    """Carries a session over ASGI ``send``; implements ``Carrier``."""

    def __init__(self, gate: Gate[Any]) -> None:
        self.session: GateSession | None = None
        #: Ends the connection's task when it expires.
        self.limit = asyncio.timeout(None)
        self._gate = gate
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._close: tuple[int, str] | None = None
        self._wake = asyncio.Event()
        self._full = False

    def write(self, data: bytes) -> None:
        """Queue framed bytes for :meth:`run`."""
        self._waiting.append(data)
        self._size += len(data)
        self._wake.set()
        if self._size > _HIGH_WATER and self.session is not None and not self._full:
            self._full = True
            self._gate.pause(self.session)

    def close(self, code: int, reason: str) -> None:
        """Close after what was written; give up after :data:`CLOSE_S`."""
        if self._close is None:
            self._close = (code, reason)
            self._wake.set()
            self.limit.reschedule(asyncio.get_running_loop().time() + CLOSE_S)

    async def run(self, send: Send) -> None:
        """Send what is queued until the connection is closed; cancelled when it has ended."""
        # uvicorn's way to say that the client has gone; the other half of the connection reports it.
        with suppress(OSError):
            await self._run(send)

    async def _run(self, send: Send) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                data = self._waiting.popleft()
                for payload, binary in split_websocket_frames(data):
                    content = {"bytes": payload} if binary else {"text": payload.decode("utf-8", "replace")}
                    await send({"type": "websocket.send", **content})
                self._size -= len(data)
            if self._close is not None:
                code, reason = self._close
                await send({"type": "websocket.close", "code": code, "reason": close_reason(reason)})
                return
            if self.session is not None and self._full:
                self._full = False
                self._gate.resume(self.session)


def choose_subprotocol(asked: Iterable[str]) -> str | None:
    """The client's first entry that we speak, as it wrote it; None if there is none.

    See docs/wire/spring-relay.md §2.1.
    """
    return next((name for name in asked if name.lower() in _SUBPROTOCOLS), None)


async def deny(scope: Scope, send: Send, denied: Denied) -> None:
    """Refuse a handshake; servers without the extension can only say 403."""
    if "websocket.http.response" in scope.get("extensions", {}):
        body = denied.sentence.encode()
        length = (b"content-length", str(len(body)).encode())
        headers: list[Header] = [(b"content-type", b"text/plain"), length, *denied.headers]
        await send({"type": "websocket.http.response.start", "status": denied.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        await send({"type": "websocket.close", "code": CloseCode.PROTOCOL_ERROR})
