"""Filters as they are written, made into what they do (docs/wire/gateway.md §3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from .arguments import Arguments, Shape, duration, truth, whole
from .definition import Part, RouteError
from .header_filters import (
    HeaderFilter,
    add_header,
    add_if_absent,
    dedupe_headers,
    map_header,
    remove_header,
    rewrite_header,
    set_header,
)
from .path_filters import PathFilter, prefix_path, rewrite_path, set_path, strip_prefix
from .query_filters import QueryFilter, add_parameter, remove_parameter
from .retry import Backoff, Retry
from .secure_headers import PROPERTIES, VALUES, secure_headers
from .templates import Template

#: What Spring has besides (4.3); named so that people know that it was understood.
_ELSEWHERE = frozenset(
    (
        "CacheRequestBody",
        "CircuitBreaker",
        "FallbackHeaders",
        "Hystrix",
        "JsonToGrpc",
        "LocalResponseCache",
        "ModifyRequestBody",
        "ModifyResponseBody",
        "RedirectTo",
        "RemoveJsonAttributesResponseBody",
        "RequestHeaderSize",
        "RequestHeaderToRequestUri",
        "RequestRateLimiter",
        "RequestSize",
        "RewriteLocationResponseHeader",
        "RewriteRequestParameter",
        "SaveSession",
        "SetRequestUri",
        "SetStatus",
        "StripContextPath",
        "TokenRelay",
    )
)

#: Spring's filters that need what is not here, and what they were to do: a route goes without them.
SPRINGS_ALONE: Mapping[str, str] = {
    "RequestRateLimiter": "it was to refuse whoever asks too often, which takes Redis",
    "CircuitBreaker": "it was to answer in place of a service that fails, which takes Resilience4j",
    "Hystrix": "it was to answer in place of a service that fails, which takes Hystrix",
    "TokenRelay": "it was to pass on the token of an OAuth2 login, and there is no login here",
    "SaveSession": "it was to save the web session first, and there is none here",
}

_SERIES: Mapping[str, int] = {
    "INFORMATIONAL": 1,
    "SUCCESSFUL": 2,
    "REDIRECTION": 3,
    "CLIENT_ERROR": 4,
    "SERVER_ERROR": 5,
}
_TIMEOUTS = frozenset(("TimeoutException", "ReadTimeoutException"))
_AUTHORITY = re.compile(r"[A-Za-z0-9._{}\[\]-]+(?::[A-Za-z0-9{}]*)?|\[[0-9A-Fa-f:.]+\](?::\d*)?")
_METHODS = re.compile(r"[A-Z][A-Z-]*")


@dataclass(frozen=True, slots=True)
class Step:
    """What one filter does; ``names`` are the variables of the route that it needs."""

    path: PathFilter | None = None
    query: QueryFilter | None = None
    request: HeaderFilter | None = None
    response: HeaderFilter | None = None
    preserve_host: bool = False
    host: Template | None = None
    retry: Retry | None = None
    names: frozenset[str] = frozenset()
    once: bool = False


@dataclass(frozen=True, slots=True)
class Filters:
    """What all filters of a route do, in their order.

    Those of answers are in the order in which they are applied, which is the other way round: a
    filter of Spring's wraps those behind it, and what wraps all has the last word.
    """

    path: tuple[PathFilter, ...] = ()
    query: tuple[QueryFilter, ...] = ()
    request: tuple[HeaderFilter, ...] = ()
    response: tuple[HeaderFilter, ...] = ()
    preserve_host: bool = False
    host: Template | None = None
    retry: Retry | None = None
    names: frozenset[str] = frozenset()


def build_filter(part: Part) -> Step:
    """What ``part`` does.

    Raises:
        ValueError: it is not known, or its arguments make no sense; the text names the filter.
    """
    found = _FILTERS.get(part.name)
    if found is None:
        known = ", ".join(sorted(_FILTERS))
        if part.name in _ELSEWHERE:
            raise ValueError(f"filter {part.name!r} is Spring's, but not offered here; known: {known}")
        raise ValueError(f"filter {part.name!r} is not known here; known: {known}")
    shape, build = found
    try:
        return build(Arguments(part, shape))
    except ValueError as error:
        raise ValueError(f"{part.name}: {error}") from error


def knows_filter(name: str) -> bool:
    """Whether there is a filter of this name."""
    return name in _FILTERS


def check_defaults(parts: Iterable[Part], source: str) -> None:
    """Refuse wrong ``default-filters``, whether or not there are routes to have them.

    Raises:
        RouteError: names file and line.
    """
    for part in parts:
        try:
            build_filter(part)
        except ValueError as error:
            place = f"{source}:{part.line}" if part.line is not None else source
            raise RouteError(f"{place}: default-filters: {error}", tried=f"read {source}") from error


def join_filters(steps: Iterable[Step]) -> Filters:
    """All steps of a route as one; of several Retry and hosts the last counts, of PrefixPath the first."""
    listed: list[Step] = []
    for step in steps:
        if not (step.once and any(x.once for x in listed)):
            listed.append(step)
    hosts = [step.host for step in listed if step.host is not None]
    retries = [step.retry for step in listed if step.retry is not None]
    return Filters(
        tuple(step.path for step in listed if step.path is not None),
        tuple(step.query for step in listed if step.query is not None),
        tuple(step.request for step in listed if step.request is not None),
        tuple(step.response for step in reversed(listed) if step.response is not None),
        any(step.preserve_host for step in listed),
        hosts[-1] if hosts else None,
        retries[-1] if retries else None,
        frozenset(name for step in listed for name in step.names),
    )


def _rewrite(found: Arguments) -> Step:
    regex, replacement = found.one("regexp"), found.optional("replacement")
    if replacement is None:  # the long form may have an empty one
        raise ValueError("needs a regular expression and a replacement, separated by one comma")
    return Step(path=rewrite_path(regex, replacement))


def _strip(found: Arguments) -> Step:
    return Step(path=strip_prefix(found.number("parts", 1, most=100)))


def _prefix(found: Arguments) -> Step:
    apply, names = prefix_path(found.one("prefix"))
    return Step(path=apply, names=names, once=True)


def _set_path(found: Arguments) -> Step:
    apply, names = set_path(found.one("template"))
    return Step(path=apply, names=names)


def _add_request(found: Arguments) -> Step:
    apply, names = add_header(found.one("name"), found.one("value"))
    return Step(request=apply, names=names)


def _set_request(found: Arguments) -> Step:
    apply, names = set_header(found.one("name"), found.one("value"))
    return Step(request=apply, names=names)


def _add_response(found: Arguments) -> Step:
    apply, names = add_header(found.one("name"), found.one("value"))
    return Step(response=apply, names=names)


def _set_response(found: Arguments) -> Step:
    apply, names = set_header(found.one("name"), found.one("value"))
    return Step(response=apply, names=names)


def _remove_request(found: Arguments) -> Step:
    return Step(request=remove_header(found.one("name")))


def _remove_response(found: Arguments) -> Step:
    return Step(response=remove_header(found.one("name")))


def _dedupe(found: Arguments) -> Step:
    return Step(response=dedupe_headers(found.one("name"), found.optional("strategy") or "RETAIN_FIRST"))


def _preserve_host(found: Arguments) -> Step:
    return Step(preserve_host=True)


def _set_host(found: Arguments) -> Step:
    text = found.one("host")
    if not _AUTHORITY.fullmatch(text):
        raise ValueError(f"{text!r} is no host, such as www.example.org or www.example.org:8080")
    host = Template(text)
    return Step(host=host, names=host.names)


def _add_absent(found: Arguments) -> Step:
    apply, names = add_if_absent(found.many("keyValues"))
    return Step(request=apply, names=names)


def _map_request(found: Arguments) -> Step:
    return Step(request=map_header(found.one("fromHeader"), found.one("toHeader")))


def _rewrite_response(found: Arguments) -> Step:
    replacement = found.optional("replacement") or ""
    return Step(response=rewrite_header(found.one("name"), found.one("regexp"), replacement))


def _add_parameter(found: Arguments) -> Step:
    apply, names = add_parameter(found.one("name"), found.one("value"))
    return Step(query=apply, names=names)


def _remove_parameter(found: Arguments) -> Step:
    return Step(query=remove_parameter(found.one("name")))


def _secure(found: Arguments) -> Step:
    given = {name: value for name in VALUES if (value := found.optional(name)) is not None}
    return Step(response=secure_headers(given, found.many("enable"), found.many("disable")))


def _retry(found: Arguments) -> Step:
    methods = found.many("methods") or ("GET",)
    if wrong := [x for x in methods if not _METHODS.fullmatch(x)]:
        raise ValueError(f"methods are in upper case, unlike {wrong[0]!r}")
    series = found.many("series")
    exceptions = {x.rpartition(".")[2] for x in found.many("exceptions")}
    if unknown := exceptions - _TIMEOUTS - {"IOException", "ConnectException"}:
        raise ValueError(f"exception {min(unknown)!r} is not known; known: IOException, TimeoutException")
    return Step(
        retry=Retry(
            found.number("retries", 3, most=100),
            frozenset(_status(x) for x in found.many("statuses")),
            frozenset(_serie(x) for x in series) if series else frozenset((5,)),
            frozenset(methods),
            not exceptions or bool(exceptions - _TIMEOUTS),
            not exceptions or bool(exceptions & _TIMEOUTS),
            _backoff(found),
        )
    )


def _backoff(found: Arguments) -> Backoff | None:
    first, most = found.optional("backoff.firstBackoff"), found.optional("backoff.maxBackoff")
    factor, previous = found.optional("backoff.factor"), found.optional("backoff.basedOnPreviousValue")
    if previous is not None:
        truth(previous, "basedOnPreviousValue")  # either way of computing it comes to the same
    if first is None and most is None and factor is None:
        return None
    usual = Backoff()
    return Backoff(
        _pause(first, "firstBackoff") if first else usual.first_s,
        _pause(most, "maxBackoff") if most else usual.max_s,
        float(whole(factor, "factor", least=1, most=1000)) if factor else usual.factor,
    )


def _pause(text: str, name: str) -> float:
    seconds = duration(text, name)
    if seconds < 0:
        raise ValueError(f"{name} is not negative")
    return seconds


def _status(text: str) -> int:
    if re.fullmatch(r"[1-5][0-9][0-9]", text):
        return int(text)
    try:
        return HTTPStatus[_STATUS_NAMES.get(text.upper(), text.upper())].value
    except KeyError:
        raise ValueError(f"status {text!r} is not known; write 502 or BAD_GATEWAY") from None


#: Where Spring's HttpStatus has other names than Python's.
_STATUS_NAMES: Mapping[str, str] = {
    "PAYLOAD_TOO_LARGE": "REQUEST_ENTITY_TOO_LARGE",
    "CONTENT_TOO_LARGE": "REQUEST_ENTITY_TOO_LARGE",
    "URI_TOO_LONG": "REQUEST_URI_TOO_LONG",
    "I_AM_A_TEAPOT": "IM_A_TEAPOT",
    "UNPROCESSABLE_CONTENT": "UNPROCESSABLE_ENTITY",
}


def _serie(text: str) -> int:
    found = _SERIES.get(text.upper())
    if found is None:
        raise ValueError(f"series {text!r} is not known; known: {', '.join(_SERIES)}")
    return found


_NAME_AND_VALUE = Shape(("name", "value"))
_RETRY = Shape(
    (
        "retries",
        "statuses",
        "methods",
        "backoff.firstBackoff",
        "backoff.maxBackoff",
        "backoff.factor",
        "backoff.basedOnPreviousValue",
    ),
    lists=frozenset(("statuses", "methods", "series", "exceptions")),
    long_only=("series", "exceptions"),
)

_FILTERS: Mapping[str, tuple[Shape, Callable[[Arguments], Step]]] = {
    "AddRequestHeader": (_NAME_AND_VALUE, _add_request),
    "AddRequestHeadersIfNotPresent": (Shape(rest="keyValues"), _add_absent),
    "AddRequestParameter": (_NAME_AND_VALUE, _add_parameter),
    "AddResponseHeader": (_NAME_AND_VALUE, _add_response),
    "DedupeResponseHeader": (Shape(("name", "strategy")), _dedupe),
    "MapRequestHeader": (Shape(("fromHeader", "toHeader")), _map_request),
    "PrefixPath": (Shape(("prefix",)), _prefix),
    "PreserveHostHeader": (Shape(), _preserve_host),
    "RemoveRequestHeader": (Shape(("name",)), _remove_request),
    "RemoveRequestParameter": (Shape(("name",)), _remove_parameter),
    "RemoveResponseHeader": (Shape(("name",)), _remove_response),
    "Retry": (_RETRY, _retry),
    "RewritePath": (Shape(("regexp", "replacement")), _rewrite),
    "RewriteResponseHeader": (Shape(("name", "regexp", "replacement")), _rewrite_response),
    "SecureHeaders": (
        Shape(
            lists=frozenset(("enable", "disable")),
            long_only=(*VALUES, "enable", "disable"),
            aliases=PROPERTIES,
        ),
        _secure,
    ),
    "SetPath": (Shape(("template",)), _set_path),
    "SetRequestHeader": (_NAME_AND_VALUE, _set_request),
    "SetRequestHostHeader": (Shape(("host",)), _set_host),
    "SetResponseHeader": (_NAME_AND_VALUE, _set_response),
    "StripPrefix": (Shape(("parts",)), _strip),
}
