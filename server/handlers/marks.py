"""Decorators that say what a function, a method or a class handles, and where its results go.

They only leave a note on what they decorate: it stays an ordinary function or class, their order
does not matter, and an instance of a class brings its methods::

    @message_mapping("/chat")
    class Chat:
        @message_mapping("/{room}/say")
        @send_to("/topic/chat.{room}")
        def say(self, text: str, room: str, user: User) -> Said: ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from core.errors import UsageError

#: What can be decorated.
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_NAME: Final = "__pushscope_marks__"


@dataclass(frozen=True, slots=True)
class SendToUser:
    """Results go to the sender's user.

    Attributes:
        destination: Behind the user prefix; "" for ``/queue`` + path.
        broadcast: To all sessions of the user, or to the sending one only.
    """

    destination: str = ""
    broadcast: bool = True


@dataclass(frozen=True, slots=True)
class SendTo:
    """Results go to these destinations; none: ``/topic`` + path."""

    destinations: tuple[str, ...] = ()


Reply = SendToUser | SendTo


@dataclass(frozen=True, slots=True)
class Marks:
    """What decorators said about one function or class.

    Attributes:
        messages: Patterns of SEND frames; None if it was not decorated with ``message_mapping``.
        subscriptions: Patterns of SUBSCRIBE frames, likewise.
        errors: Types of exceptions; None if it was not decorated with ``message_exception_handler``.
        replies: Where results go.
    """

    messages: tuple[str, ...] | None = None
    subscriptions: tuple[str, ...] | None = None
    errors: tuple[type[Exception], ...] | None = None
    replies: tuple[Reply, ...] = ()

    @property
    def handles(self) -> bool:
        """Whether it makes a function a handler."""
        return self.messages is not None or self.subscriptions is not None or self.errors is not None


def marks_of(target: object) -> Marks:
    """What was said about a function or class; also about the class that it inherits from."""
    return getattr(target, _NAME, None) or Marks()


def message_mapping(*patterns: str) -> Callable[[Decorated], Decorated]:
    """Handle SEND frames to application prefix + pattern.

    On a class: in front of the patterns of its methods, of both kinds.
    """
    _check_patterns("message_mapping", patterns)
    return lambda target: _mark(target, messages=(*(_own(target).messages or ()), *patterns))


def subscribe_mapping(*patterns: str) -> Callable[[Decorated], Decorated]:
    """Handle SUBSCRIBE frames to application prefix + pattern.

    The result is one MESSAGE straight to the subscriber; the broker hears of neither
    (docs/wire/spring-relay.md §7.4). With ``send_to`` or ``send_to_user`` the result goes there instead.
    """
    _check_patterns("subscribe_mapping", patterns)

    def decorate(target: Decorated) -> Decorated:
        if isinstance(target, type):
            raise UsageError(
                "subscribe_mapping cannot decorate a class",
                hint="a class has one pattern for all its methods: message_mapping",
            )
        return _mark(target, subscriptions=(*(_own(target).subscriptions or ()), *patterns))

    return decorate


def message_exception_handler(*errors: type[Exception]) -> Callable[[Decorated], Decorated]:
    """Handle exceptions of handlers: those of the same class, or everybody's if it is a function.

    Without types it handles those that its parameters are annotated with.
    """
    for error in errors:
        if not (isinstance(error, type) and issubclass(error, Exception)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(
                f"{error!r} is no type of exception", hint="@message_exception_handler(ValueError)"
            )
    return lambda target: _mark(target, errors=errors)


def send_to(*destinations: str) -> Callable[[Decorated], Decorated]:
    """Send results to destinations, ``{variables}`` replaced (default ``/topic`` + path)."""
    _check_patterns("send_to", destinations)
    return lambda target: _mark(target, replies=(SendTo(destinations), *_own(target).replies))


def send_to_user(destination: str = "", *, broadcast: bool = True) -> Callable[[Decorated], Decorated]:
    """Send results to the sender's user at ``destination`` (default ``/queue`` + path).

    ``broadcast=False``: to the sending session only. Anonymous sessions are always on their own.
    """
    _check_patterns("send_to_user", (destination,))
    return lambda target: _mark(target, replies=(SendToUser(destination, broadcast), *_own(target).replies))


def _own(target: object) -> Marks:
    # Not inherited ones: a class would add to what was said about its parent.
    return getattr(target, "__dict__", {}).get(_NAME) or Marks()


def _mark(target: Decorated, **changes: Any) -> Decorated:
    try:
        setattr(target, _NAME, replace(_own(target), **changes))
    except AttributeError:
        raise UsageError(
            f"{target!r} cannot be decorated",
            hint="put @staticmethod or @classmethod above the decorators of handlers",
        ) from None
    return target


def _check_patterns(name: str, patterns: tuple[object, ...]) -> None:
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise UsageError(f"{name} takes strings, not {pattern!r}", hint=f'write @{name}("/hello")')
