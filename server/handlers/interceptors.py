"""What an application may do with CONNECT, SUBSCRIBE and SEND of clients before they count.

An interceptor is a function of a :class:`ClientFrame`, sync or async. It lets the frame through by
returning None, changes it by returning another one, and refuses it by raising :class:`Denied`::

    def check(frame: ClientFrame) -> ClientFrame | None:
        if frame.command != "CONNECT":
            return None
        user = user_of(frame.headers.get("passcode", ""))
        if user is None:
            raise Denied("bad token")
        return frame.replace(user=user)

A refused frame is always answered with ERROR, whatever was raised (docs/wire/spring-relay.md §2.4).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, Unpack

import msgspec

from core.errors import PushscopeError
from core.protocol import Connect, Frame, Send, Subscribe

from ..sessions.session import Session

Command = Literal["CONNECT", "SUBSCRIBE", "SEND"]
#: Frames that interceptors see.
Intercepted = Connect | Subscribe | Send

#: Headers that stay what they were: they concern the connection.
_KEPT = ("receipt", "transaction", "id", "ack")


class Denied(PushscopeError):
    """Raised by an interceptor: the client gets an ERROR with these words and is closed.

    Args:
        reason: For the client: the ``message`` of the ERROR.
        detail: For the client: its body.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


class Changes(TypedDict, total=False):
    """What :meth:`ClientFrame.replace` takes."""

    user: str
    destination: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ClientFrame:
    """A frame of a client, as interceptors see it.

    Attributes:
        command: CONNECT (also for STOMP), SUBSCRIBE or SEND.
        session_id: Id of the session.
        user: Name of the user, "" for nobody; at CONNECT the one that it would be.
        destination: Where to; "" at CONNECT.
        headers: All headers; of a repeated one the first value.
        body: The payload; b"" unless SEND.
        attributes: What is kept about the session, one dict for its life; handlers see it too.
    """

    command: Command
    session_id: str
    user: str
    destination: str
    headers: Mapping[str, str] = field(repr=False)  # secrets are among them
    body: bytes = field(default=b"", repr=False)
    attributes: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def replace(self, **changes: Unpack[Changes]) -> ClientFrame:
        """The same with another user (at CONNECT), destination, headers or body (of SEND)."""
        return dataclasses.replace(self, **changes)


Verdict = ClientFrame | None
#: Sees every frame; see the module's docstring.
Interceptor = Callable[[ClientFrame], Verdict | Awaitable[Verdict]]


def frame_of(session: Session, event: Intercepted, user: str) -> ClientFrame:
    """What interceptors see of a frame."""
    headers, body = event.frame.headers, event.frame.body
    match event:
        case Connect():
            return ClientFrame("CONNECT", session.id, user, "", headers, b"", session.attributes)
        case Subscribe():
            return ClientFrame(
                "SUBSCRIBE", session.id, user, event.destination, headers, b"", session.attributes
            )
        case Send():
            return ClientFrame("SEND", session.id, user, event.destination, headers, body, session.attributes)


def event_of(event: Intercepted, before: ClientFrame, after: ClientFrame) -> Intercepted:
    """The frame that an interceptor made of one."""
    if after is before:
        return event
    frame = _changed(event.frame, before, after)
    match event:
        case Connect():
            return msgspec.structs.replace(event, frame=frame)
        case Subscribe() | Send():
            return msgspec.structs.replace(event, frame=frame, destination=after.destination)


def _changed(frame: Frame, before: ClientFrame, after: ClientFrame) -> Frame:
    headers, repeated = dict(after.headers), frame.repeated
    if after.headers is not before.headers:
        repeated = tuple(
            (name, value) for name, value in repeated if headers.get(name) == frame.headers.get(name)
        )
    for name in _KEPT:
        headers.pop(name, None)
        if name in frame.headers:
            headers[name] = frame.headers[name]
    if after.destination:
        headers["destination"] = after.destination
    if after.body is not before.body:
        headers.pop("content-length", None)
    return Frame(frame.command, headers, after.body, repeated)
