"""An instance's configuration as Spring Boot writes it: the article's ``application.yml``, as printed.

Understood: ``stomp.server``, ``stomp.port``, ``stomp.username``, ``stomp.password``, ``server.port``,
``spring.application.name`` and ``eureka.client.serviceUrl.defaultZone``. Every other key is named in a
warning. How keys and values may be spelled says :mod:`..spring`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
from yaml.nodes import ScalarNode

from core.errors import UsageError
from core.reasons import reason_of

from ..spring.configuration import parse_configuration
from ..spring.settings import place_of

#: What is understood, in the one spelling that all others are brought to.
_PORT: Final = "server.port"
_NAME: Final = "spring.application.name"
_EUREKA: Final = "eureka.client.serviceurl.defaultzone"
_STOMP: Final = ("stomp.server", "stomp.port", "stomp.username", "stomp.password")
_KNOWN: Final = frozenset({_PORT, _NAME, _EUREKA, *_STOMP})


class SpringFile(msgspec.Struct, frozen=True):
    """What a file says about an instance; None for what it does not say.

    Attributes:
        port: Where to listen.
        service: Name at discovery.
        broker: URL with login and password: a secret.
        discovery: URL of discovery, which may hold a password.
        warnings: For people: which keys mean nothing here, with file and line.
    """

    port: int | None = None
    service: str | None = None
    broker: str | None = None
    discovery: str | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"SpringFile({self.port!r}, {self.service!r}, …)"


def load_spring_file(path: str | Path, environment: Mapping[str, str] | None = None) -> SpringFile:
    """Read an instance's ``application.yml``.

    Args:
        path: The file.
        environment: Fills placeholders; that of this process by default.

    Raises:
        UsageError: it cannot be read, is no YAML, or a value makes no sense; names file and line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {reason_of(error)}", tried=f"read {path}") from error
    return parse_spring_file(text, str(path), os.environ if environment is None else environment)


def parse_spring_file(text: str, source: str, environment: Mapping[str, str]) -> SpringFile:
    """Understand the text of such a file; ``source`` is its name for messages.

    Raises:
        UsageError: as :func:`load_spring_file`.
    """
    found: dict[str, str] = {}
    read = parse_configuration(text, source, environment)
    warnings = read.warnings
    for setting in read.settings:
        key, plain, node = setting.key, setting.plain, setting.node
        line = place_of(node)
        if plain not in _KNOWN or not isinstance(node, ScalarNode):
            warnings.append(f"{line}: {key} has no meaning for an instance and is ignored")
            continue
        value = found[plain] = read.placeholders.fill(str(node.value), f"{line}: {key}")
        if plain.endswith(".port") and not (value.isdigit() and int(value) < 65536):
            raise UsageError(f"{line}: {key} is no port: {value[:40]!r}", hint="a number up to 65535")
    return SpringFile(
        int(found[_PORT]) if _PORT in found else None,
        found.get(_NAME),
        _broker(found),
        _discovery(found.get(_EUREKA)),
        tuple(warnings),
    )


def _broker(found: Mapping[str, str]) -> str | None:
    if found.keys().isdisjoint(_STOMP):
        return None
    server, port, username, password = (found.get(key) for key in _STOMP)
    who = quote(username, safe="") if username else ""
    if password:
        who += ":" + quote(password, safe="")
    host = server or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    return f"stomp://{who}{'@' if who else ''}{host}:{port or 61613}"


def _discovery(zone: str | None) -> str | None:
    """The URLs as they stand, with commas between: servers of one Eureka, or our own discovery."""
    return zone.strip() if zone else None
