"""A gateway's configuration in TOML, with the same power as Spring's.

Seconds instead of milliseconds; predicates and filters in the shortcut form, or as tables with
``name`` and ``args``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Annotated, Any, cast

import msgspec

from core.errors import UsageError
from core.toml_file import in_words

from ..edge import Compression
from ..forwarded import ForwardedPolicy, ForwardedRules
from ..routing.definition import Part, RouteError, RouteSpec, with_defaults
from ..routing.filters import check_defaults
from ..routing.routes import RouteTable
from .balance_file import read_toml_balance
from .gateway_file import GatewayFile

_LARGEST = 1024 * 1024
_DEEPEST = 20
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=366 * 86400)]
_Positive = Annotated[float, msgspec.Meta(gt=0, le=366 * 86400)]
_Table = dict[str, Any]
_HEAD = re.compile(r"\s*\[\[\s*routes\s*\]\]")


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    args: _Table = {}


class _Route(msgspec.Struct, forbid_unknown_fields=True):
    uri: str
    predicates: list[str | _Part]
    id: str = ""
    filters: list[str | _Part] = []
    order: int = 0
    enabled: bool = True
    connect_timeout: _Positive | None = None
    response_timeout: _Seconds | None = None
    idle_timeout: _Seconds = 0.0
    metadata: _Table = {}


class _Compression(msgspec.Struct, forbid_unknown_fields=True):
    enabled: bool = True
    mime_types: tuple[str, ...] = Compression().mime_types
    min_size: Annotated[int, msgspec.Meta(ge=0)] = Compression().min_size


class _File(msgspec.Struct, forbid_unknown_fields=True):
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = None
    routes: list[_Table] = []
    default_filters: list[str | _Part] = []
    connect_timeout: _Positive | None = None
    response_timeout: _Seconds | None = None
    trusted_proxies: str | None = None
    compression: _Compression | None = None
    balance: Any = msgspec.field(default_factory=dict[str, Any])


def parse_toml(text: str, source: str = "gateway.toml") -> GatewayFile:
    """Read our TOML: ``port``, ``[[routes]]``, ``default_filters``, ``[compression]``, ``[balance]``.

    Raises:
        RouteError: names file and line.
    """
    if len(text) > _LARGEST:
        raise RouteError(f"{source}: is larger than 1 MiB", tried=f"read {source}")
    try:
        said = msgspec.convert(tomllib.loads(text), _File)
        ForwardedPolicy(said.trusted_proxies or "")
        balancing = read_toml_balance(said.balance)
    except msgspec.ValidationError as error:
        hint = f"known: {', '.join(_File.__struct_fields__)}"
        raise RouteError(f"{source}: {in_words(error)}", tried=f"read {source}", hint=hint) from error
    except ValueError as error:  # TOMLDecodeError, and numbers that are too long
        raise RouteError(f"{source}: not TOML: {error}", tried=f"read {source}") from error
    except RecursionError as error:
        raise RouteError(f"{source}: is nested too deeply", tried=f"read {source}") from error
    except UsageError as error:
        raise RouteError(f"{source}: {error}", tried=f"read {source}", hint=error.hint) from error
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines, 1) if _HEAD.match(line)]
    reader = _Reader(source, lines)
    defaults = [reader.part(part, 1, len(lines)) for part in said.default_filters]
    check_defaults(defaults, source)
    routes: list[RouteSpec] = []
    for number, table in enumerate(said.routes):
        known = len(heads) == len(said.routes)  # not so when they are written inline
        line = heads[number] if known else None
        end = heads[number + 1] - 1 if known and number + 1 < len(heads) else len(lines)
        spec = reader.route(table, number, line, end, defaults)
        if spec is not None:
            routes.append(spec)
    RouteTable(routes)  # a wrong route is an error of the file
    compression = said.compression
    return GatewayFile(
        routes=tuple(routes),
        port=said.port,
        connect_timeout_s=said.connect_timeout,
        response_timeout_s=said.response_timeout,
        trusted_proxies=said.trusted_proxies,
        forwarded=ForwardedRules(),
        compression=Compression()
        if compression is None
        else Compression(compression.enabled, compression.mime_types, compression.min_size),
        balancing=balancing,
        warnings=tuple(reader.warnings),
    )


class _Reader:
    """Routes and parts, with the lines where they seem to stand: TOML's reader tells none."""

    def __init__(self, source: str, lines: list[str]) -> None:
        self._source = source
        self._lines = lines
        self.warnings: list[str] = []

    def route(
        self, table: _Table, number: int, line: int | None, end: int, defaults: list[Part]
    ) -> RouteSpec | None:
        name = str(table.get("id", f"route-{number}"))
        place = f"{self._source}:{line}" if line is not None else self._source
        try:
            route = msgspec.convert(table, _Route)
            metadata = dict(_leaves(route.metadata, ""))
        except msgspec.ValidationError as error:
            raise RouteError(
                f"{place}: route {name!r}: {in_words(error)}",
                tried=f"read {self._source}",
                hint=f"known: {', '.join(_Route.__struct_fields__)}",
            ) from error
        except ValueError as error:
            raise RouteError(f"{place}: route {name!r}: {error}", tried=f"read {self._source}") from error
        if not route.enabled:
            self.warnings.append(f"{place}: route {name!r} is disabled")
            return None
        filters = [self.part(part, line, end) for part in route.filters]
        return RouteSpec(
            name,
            route.uri,
            tuple(self.part(part, line, end) for part in route.predicates),
            with_defaults(defaults, filters),
            route.order,
            self._source,
            line,
            connect_timeout_s=route.connect_timeout,
            response_timeout_s=route.response_timeout,
            idle_timeout_s=route.idle_timeout,
            metadata=metadata,
        )

    def part(self, part: str | _Part, first: int | None, last: int) -> Part:
        if isinstance(part, str):
            return Part.shortcut(part, self._find(part, first, last))
        try:
            named = dict(_leaves(part.args, ""))
        except ValueError as error:
            raise RouteError(f"{self._source}: {part.name}: {error}", tried=f"read {self._source}") from error
        return Part(part.name, named=named, line=self._find(part.name, first, last))

    def _find(self, text: str, first: int | None, last: int) -> int | None:
        """The line from ``first`` to ``last`` that holds ``text``, else ``first``."""
        if first is None:
            return None
        escaped = text.replace("\\", "\\\\")
        for number in range(first, last + 1):
            if text in self._lines[number - 1] or escaped in self._lines[number - 1]:
                return number
        return first


def _leaves(value: object, key: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Values with dotted keys; elements of lists have numbers."""
    if depth > _DEEPEST:
        raise ValueError("is nested too deeply")
    if isinstance(value, dict):
        children = [(str(name), child) for name, child in cast("dict[str, object]", value).items()]
    elif isinstance(value, list):
        children = [(str(n), child) for n, child in enumerate(cast("list[object]", value))]
    else:
        yield key, str(value).lower() if isinstance(value, bool) else str(value)
        return
    for name, child in children:
        yield from _leaves(child, f"{key}.{name}" if key else name, depth + 1)
