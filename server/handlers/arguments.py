"""Where each argument of a handler comes from, decided once by its annotation.

See docs/wire/spring-relay.md §7.2.

===================================  ==========================================================
``Annotated[T, Header("name")]``     a header, converted; ``list[T]``: all values of it
``Headers``                          all headers
``Annotated[T, Variable("name")]``   a variable of the path, converted; also by the name alone
``User``, ``SessionId``              who sent it
``MessageContext``                   all of it
``MessagingTemplate``                to send with
a type of exception                  what an exception handler is called for
anything else                        the payload, converted by its content type
===================================  ==========================================================
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec

from core.errors import UsageError

from .conversion import MessageConversionError, PayloadConverter, without_none
from .invocation import Headers, Invocation, MessageContext, SessionId, User
from .template import MessagingTemplate

#: Gets one argument out of a message.
Resolve = Callable[[Invocation], Any]

_NO_DEFAULT: Final = inspect.Parameter.empty
_LISTS: Final = (list, tuple, set, frozenset, Sequence)


@dataclass(frozen=True, slots=True)
class Header:
    """In ``Annotated``: the argument is a header.

    Attributes:
        name: Of the header; "" for the parameter's name with hyphens for underscores.
    """

    name: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """In ``Annotated``: the argument is a variable of the path; "" for the parameter's name."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Payload:
    """In ``Annotated``: the argument is the payload, whatever the parameter's name."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a handler.

    Attributes:
        where: For errors: which parameter of which handler.
        name: Its name.
        hint: Its type, without ``Annotated``.
        marker: What ``Annotated`` says.
        default: Its default value, or ``inspect.Parameter.empty``.
        annotated: Whether it has an annotation at all.
    """

    where: str
    name: str
    hint: Any
    marker: Header | Variable | Payload | None
    default: Any
    annotated: bool


class Arguments:
    """All arguments of one handler.

    Args:
        function: The handler, a bound method for one of a class.
        name: Its name for errors.
        variables: Variables of the patterns that it is mapped to, one set for each.
        handles_errors: Whether it is an exception handler.

    Attributes:
        errors: Types of exceptions among the parameters.

    Raises:
        UsageError: A parameter can get nothing, or of two parameters each would get the payload.
    """

    __slots__ = ("_keywords", "_positional", "errors")

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        variables: Sequence[frozenset[str]] = (),
        *,
        handles_errors: bool = False,
    ) -> None:
        self._positional: tuple[Resolve, ...] = ()
        self._keywords: dict[str, Resolve] = {}
        errors: list[type[Exception]] = []
        payload = ""
        for parameter, keyword in _parameters(function, name):
            error = _error_type(parameter, handles_errors=handles_errors)
            resolve: Resolve | None
            if error is not None:
                errors.append(error)
                resolve = _the_error(error)
            else:
                resolve = _special(parameter, variables, handles_errors=handles_errors)
            if resolve is None:
                if payload:
                    raise UsageError(
                        f"{parameter.where} and {payload!r} would both get the payload",
                        hint="is one a variable that is missing in the pattern? "
                        'Else write Annotated[str, Header("name")] or the like',
                    )
                payload = parameter.name
                resolve = _payload(parameter)
            if keyword:
                self._keywords[parameter.name] = resolve
            else:
                self._positional = (*self._positional, resolve)
        self.errors = tuple(errors)

    def call(self, function: Callable[..., Any], invocation: Invocation) -> Any:
        """Call the handler; returns its result, or what is to be awaited for it.

        Raises:
            MessageConversionError: The message does not have what the handler takes.
        """
        values = [resolve(invocation) for resolve in self._positional]
        if not self._keywords:
            return function(*values)
        named = {name: resolve(invocation) for name, resolve in self._keywords.items()}
        return function(*values, **named)


def _parameters(function: Callable[..., Any], handler: str) -> list[tuple[Parameter, bool]]:
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise UsageError(
            f"the annotations of {handler} cannot be read: {error}",
            hint="import what they name at the top of the module, outside of TYPE_CHECKING",
        ) from None
    found: list[tuple[Parameter, bool]] = []
    for name, parameter in inspect.signature(function).parameters.items():
        where = f"the parameter {name!r} of {handler}"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise UsageError(f"{where} can get nothing", hint="name what the handler takes")
        hint, marker = hints.get(name, str), None
        if get_origin(hint) is Annotated:
            markers = [item for item in hint.__metadata__ if isinstance(item, Header | Variable | Payload)]
            marker = markers[0] if markers else None
            hint = hint.__origin__ if marker is not None else hint
        item = Parameter(where, name, hint, marker, parameter.default, name in hints)
        found.append((item, parameter.kind is parameter.KEYWORD_ONLY))
    return found


def _special(
    parameter: Parameter, variables: Sequence[frozenset[str]], *, handles_errors: bool
) -> Resolve | None:
    """What is not the payload."""
    if isinstance(parameter.marker, Payload):
        return None
    if isinstance(parameter.marker, Header):
        return _header(parameter, parameter.marker.name or parameter.name.replace("_", "-"))
    by_type = _by_type(parameter)
    if by_type is not None:
        return by_type
    marker, name = parameter.marker, parameter.name
    if isinstance(marker, Variable):
        name = marker.name or name
    elif not any(name in names for names in variables):
        return None
    missing = [names for names in variables if name not in names]
    if missing and parameter.default is _NO_DEFAULT and not handles_errors:
        raise UsageError(
            f"{parameter.where} is the variable {name!r}, which not every pattern of the handler has",
            hint="give the parameter a default value",
        )
    return _variable(parameter, name)


def _by_type(parameter: Parameter) -> Resolve | None:
    hint, optional = without_none(parameter.hint)
    if hint is User:
        return _user(parameter, optional=optional)
    if hint is SessionId:
        return lambda invocation: invocation.session.id
    if hint is MessageContext:
        return Invocation.context
    if hint is Headers:
        return lambda invocation: Headers(invocation.frame.headers, invocation.frame.repeated)
    if hint is MessagingTemplate:
        return lambda invocation: invocation.template
    return None


def _error_type(parameter: Parameter, *, handles_errors: bool) -> type[Exception] | None:
    """The type of exception that a parameter takes, if it does."""
    if handles_errors and not parameter.annotated and parameter.marker is None:
        return Exception
    hint, _ = without_none(parameter.hint)
    if not (isinstance(hint, type) and issubclass(hint, BaseException)):
        return None
    if not handles_errors or not issubclass(hint, Exception):
        raise UsageError(
            f"{parameter.where} is an exception",
            hint="decorate the handler with @message_exception_handler()",
        )
    return hint


def _the_error(kind: type[Exception]) -> Resolve:
    def resolve(invocation: Invocation) -> Exception:
        error = invocation.error
        # What the handler was found for is the exception, or its direct cause
        # (docs/wire/spring-relay.md §7.6).
        if error is not None and not isinstance(error, kind) and isinstance(error.__cause__, kind):
            return error.__cause__
        if not isinstance(error, kind):
            raise MessageConversionError(f"{error!r} is no {kind.__name__}, nor is its cause")
        return error

    return resolve


def _user(parameter: Parameter, *, optional: bool) -> Resolve:
    def resolve(invocation: Invocation) -> User | None:
        user = invocation.session.user
        if not user and not optional:
            raise MessageConversionError(
                f"{parameter.where} needs a user, and the session is anonymous", hint="User | None takes both"
            )
        return User(user) if user else None

    return resolve


def _payload(parameter: Parameter) -> Resolve:
    convert = PayloadConverter(parameter.hint, parameter.where)
    has_default = parameter.default is not _NO_DEFAULT
    empty = parameter.default if has_default else None
    may_be_empty = has_default or convert.optional

    def resolve(invocation: Invocation) -> Any:
        frame = invocation.frame
        if frame.body:
            return convert(frame.body, frame.headers.get("content-type"))
        if may_be_empty:
            return empty
        raise MessageConversionError(f"Payload value must not be empty: {parameter.where}")

    return resolve


def _header(parameter: Parameter, name: str) -> Resolve:
    hint, optional = without_none(parameter.hint)
    if get_origin(hint) in _LISTS or hint in _LISTS:
        return _header_list(parameter, name, hint, optional=optional)
    convert = _converter(parameter, "header", name)
    missing = _when_missing(parameter, f"the header {name!r}", optional=optional)

    def resolve(invocation: Invocation) -> Any:
        value = invocation.frame.headers.get(name)
        return missing() if value is None else convert(value)

    return resolve


def _header_list(parameter: Parameter, name: str, hint: Any, *, optional: bool) -> Resolve:
    convert = _converter(parameter, "header", name, hint if get_args(hint) else list[str])
    missing = _when_missing(parameter, f"the header {name!r}", optional=optional)

    def resolve(invocation: Invocation) -> Any:
        values = Headers(invocation.frame.headers, invocation.frame.repeated).all(name)
        return convert(values) if values else missing()

    return resolve


def _variable(parameter: Parameter, name: str) -> Resolve:
    _, optional = without_none(parameter.hint)
    convert = _converter(parameter, "variable", name)
    missing = _when_missing(parameter, f"the variable {name!r}", optional=optional)

    def resolve(invocation: Invocation) -> Any:
        value = invocation.variables.get(name)
        return missing() if value is None else convert(value)

    return resolve


def _when_missing(parameter: Parameter, what: str, *, optional: bool) -> Callable[[], Any]:
    def missing() -> Any:
        if parameter.default is not _NO_DEFAULT:
            return parameter.default
        if optional:
            return None
        raise MessageConversionError(f"{parameter.where} needs {what}, which the message does not have")

    return missing


def _converter(parameter: Parameter, kind: str, name: str, hint: Any = None) -> Callable[[Any], Any]:
    """From text, as headers and paths have it, to the annotated type."""
    target = parameter.hint if hint is None else hint
    if without_none(target)[0] is str:
        return lambda value: value
    try:
        msgspec.json.Decoder(target)
    except TypeError as error:
        raise UsageError(f"{parameter.where} cannot be made of a {kind}: {error}") from None

    def convert(value: Any) -> Any:
        try:
            return msgspec.convert(value, target, strict=False)
        except msgspec.ValidationError as error:
            raise MessageConversionError(
                f"{parameter.where} cannot be made of the {kind} {name!r}: {error}"
            ) from error

    return convert
