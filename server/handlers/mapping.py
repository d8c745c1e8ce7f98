"""Finds the handlers among functions and objects, and which of them takes a message.

A function brings its mappings, an object those of its methods, each behind the patterns of its
class (docs/wire/spring-relay.md §7.1).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from core.errors import UsageError

from .arguments import Arguments
from .handler import ExceptionHandlers, Handler, check_replies
from .marks import Marks, Reply, SendTo, SendToUser, marks_of
from .patterns import Pattern, combine
from .routes import Routes

Separator = Literal["/", "."]

_NO_MARKS: Final = Marks()
_HINT: Final = 'decorate a function, or methods of its class, with @message_mapping("/hello")'


class Handlers:
    """The handlers of an application.

    Args:
        handlers: Functions that are decorated, and instances of classes whose methods are.
        separator: Of the segments of paths, behind the application prefix.

    Attributes:
        messages: By path of SEND frames.
        subscriptions: By path of SUBSCRIBE frames.
        errors: Exception handlers that are functions: everybody's.

    Raises:
        UsageError: Two handlers would take the same message; a parameter can get nothing; or
            something is no handler.
    """

    def __init__(self, handlers: Iterable[object] = (), *, separator: Separator = "/") -> None:
        self.messages: Routes[Handler] = Routes(separator)
        self.subscriptions: Routes[Handler] = Routes(separator)
        self.errors = ExceptionHandlers()
        self._separator = separator
        for item in handlers:
            self._add(item)
        self.messages.check()
        self.subscriptions.check()

    def _add(self, item: object) -> None:
        if isinstance(item, type):
            raise UsageError(f"{item.__name__} is a class", hint=f"give an instance of it: {item.__name__}()")
        if inspect.isroutine(item):
            marks = marks_of(item)
            if not marks.handles:
                raise UsageError(f"{item.__qualname__} is no handler", hint=_HINT)
            self._add_function(item, marks, _NO_MARKS, self.errors)
            return
        outer, errors, found = marks_of(type(item)), ExceptionHandlers(), False
        for name in _method_names(type(item)):
            method = getattr(item, name)
            marks = marks_of(method)
            if marks.handles:
                found = True
                self._add_function(method, marks, outer, errors)
        if not found:
            raise UsageError(f"{item!r} is no handler, nor are its methods", hint=_HINT)

    def _add_function(self, function: Any, marks: Marks, outer: Marks, errors: ExceptionHandlers) -> None:
        name = getattr(function, "__qualname__", repr(function))
        own = _replies(marks.replies, outer.replies)
        if marks.errors is not None:
            self._add_exception_handler(function, name, marks, own, errors)
        if marks.messages is not None:
            self._map(self.messages, function, name, marks.messages, outer, own, errors)
        if marks.subscriptions is not None:
            # A class's destinations are not for answers to subscriptions: only the method's own.
            self._map(self.subscriptions, function, name, marks.subscriptions, outer, marks.replies, errors)

    def _add_exception_handler(
        self, function: Any, name: str, marks: Marks, replies: tuple[Reply, ...], errors: ExceptionHandlers
    ) -> None:
        arguments = Arguments(function, name, handles_errors=True)
        handler = Handler(name, function, arguments, replies, False, ExceptionHandlers())
        for error in marks.errors or arguments.errors or (Exception,):
            errors.add(error, handler)

    def _map(
        self,
        routes: Routes[Handler],
        function: Any,
        name: str,
        inner: tuple[str, ...],
        outer: Marks,
        replies: tuple[Reply, ...],
        errors: ExceptionHandlers,
    ) -> None:
        texts = [
            combine(first, second, self._separator)
            for first in outer.messages or ("",)
            for second in inner or ("",)
        ]
        if not all(texts):
            raise UsageError(f"{name} has no path", hint='write @message_mapping("/hello")')
        patterns = [Pattern(text, self._separator) for text in texts]
        arguments = Arguments(function, name, [frozenset(pattern.variables) for pattern in patterns])
        check_replies(replies, patterns, name)
        answers = routes is self.subscriptions and not replies
        handler = Handler(name, function, arguments, replies, answers, errors)
        for pattern in patterns:
            routes.add(pattern, handler)


def _replies(own: tuple[Reply, ...], outer: tuple[Reply, ...]) -> tuple[Reply, ...]:
    """A method's destinations, or its class's where it names none (docs/wire/spring-relay.md §7.4)."""
    return own if _names_one(own) or not outer else outer


def _names_one(replies: Sequence[Reply]) -> bool:
    for reply in replies:
        match reply:
            case SendTo():
                named = bool(reply.destinations)
            case SendToUser():
                named = bool(reply.destination)
        if named:
            return True
    return False


def _method_names(kind: type) -> list[str]:
    """Names of all functions of a class, in the order in which they are written, parents' first."""
    names: dict[str, None] = {}
    for parent in reversed(kind.__mro__):
        for name, member in vars(parent).items():
            if inspect.isfunction(member) or isinstance(member, staticmethod | classmethod):
                names[name] = None
    return list(names)
