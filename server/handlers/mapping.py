"""Application handlers for what clients send to ``/app/…``.

::

    @message_mapping("/hello")
    @send_to_user("/topic/greetings")
    def hello(message: str) -> str:
        return "hello"

A handler takes the payload (``str``, ``bytes``, or any type that msgspec can decode from JSON)
and, if it wants, a :class:`MessageContext`; it may be ``async``. What it returns is sent where
its decorators say (spec 7.4): to the user, to destinations, or to ``/topic`` + its path.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_type_hints

import msgspec

from core.errors import UsageError

#: What a handler is: any function, sync or async.
Function = Callable[..., Any]

_TEXT: Final = "text/plain;charset=UTF-8"
_BINARY: Final = "application/octet-stream"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class MessageContext:
    """Who sent a message, where to, with which headers."""

    user: str
    session_id: str
    destination: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SendToUser:
    """The reply goes to the sender's user: all sessions, or the sending one only."""

    destination: str = ""
    broadcast: bool = True


@dataclass(frozen=True, slots=True)
class SendTo:
    """The reply goes to these destinations."""

    destinations: tuple[str, ...] = ()


Reply = SendToUser | SendTo


@dataclass(frozen=True, slots=True)
class Replying:
    """A function and where its results go."""

    function: Function
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class MessageHandler:
    """A function, the paths it serves, and where its results go.

    Attributes:
        function: The function itself.
        paths: Behind the application prefix, with a leading slash.
        replies: Where its results go; empty: ``/topic`` + path.
        arguments: Type of each parameter.
    """

    function: Function
    paths: tuple[str, ...]
    replies: tuple[Reply, ...] = ()
    arguments: tuple[Any, ...] = field(default=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as in a unit test."""
        return self.function(*args, **kwargs)

    def call(self, body: bytes, context: MessageContext) -> Any:
        """Call the function with a message; returns its result, or a coroutine.

        Raises:
            msgspec.MsgspecError: The payload is not what the function takes.
            UnicodeDecodeError: The payload is not UTF-8.
        """
        values = [
            context if kind is MessageContext else _convert(body, kind, context) for kind in self.arguments
        ]
        return self.function(*values)


def message_mapping(*paths: str) -> Callable[[Function | Replying], MessageHandler]:
    """Make a function the handler of SEND frames to application prefix + path."""

    def decorate(function: Function | Replying) -> MessageHandler:
        if isinstance(function, Replying):
            inner, replies = function.function, function.replies
        else:
            inner, replies = function, ()
        if not paths:
            raise UsageError("message_mapping needs a path", hint='write @message_mapping("/hello")')
        full = tuple(path if path.startswith("/") else f"/{path}" for path in paths)
        return MessageHandler(inner, full, replies, _argument_types(inner))

    return decorate


def send_to_user(
    destination: str = "", *, broadcast: bool = True
) -> Callable[[Function | Replying], Replying]:
    """Send results to the sender's user at ``destination`` (default ``/queue`` + path)."""
    return _replying(SendToUser(destination, broadcast))


def send_to(*destinations: str) -> Callable[[Function | Replying], Replying]:
    """Send results to destinations (default ``/topic`` + path)."""
    return _replying(SendTo(destinations))


class Handlers:
    """The handlers of an application, by path.

    Raises:
        UsageError: Two handlers serve the same path.
    """

    def __init__(self, handlers: Iterable[MessageHandler] = ()) -> None:
        self._by_path: dict[str, MessageHandler] = {}
        for handler in handlers:
            for path in handler.paths:
                if path in self._by_path:
                    raise UsageError(f"two handlers for {path}", hint="give each its own path")
                self._by_path[path] = handler

    def find(self, path: str) -> MessageHandler | None:
        """The handler of a path."""
        return self._by_path.get(path)


def encode_result(value: object) -> tuple[bytes, str]:
    """Body and content type of what a handler returned (spec 7.3)."""
    if isinstance(value, str):
        return value.encode(), _TEXT
    if isinstance(value, bytes | bytearray):
        return bytes(value), _BINARY
    return msgspec.json.encode(value), _JSON


def _replying(reply: Reply) -> Callable[[Function | Replying], Replying]:
    def decorate(function: Function | Replying) -> Replying:
        if isinstance(function, Replying):
            return Replying(function.function, (reply, *function.replies))
        return Replying(function, (reply,))

    return decorate


def _argument_types(function: Function) -> tuple[Any, ...]:
    hints = get_type_hints(function)
    return tuple(hints.get(name, str) for name in inspect.signature(function).parameters)


def _convert(body: bytes, kind: Any, context: MessageContext) -> Any:
    content_type = context.headers.get("content-type", "").partition(";")[0].strip()
    if kind is bytes:
        return body
    if kind is str and content_type != _JSON:
        return body.decode()
    return msgspec.json.decode(body, type=kind)
