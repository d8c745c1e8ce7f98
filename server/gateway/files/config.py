"""Reads a gateway's configuration from a file: Spring's YAML as it is, or our TOML.

Every error and warning names file and line. Keys of a Spring configuration that mean nothing
here are named in a warning; an unknown predicate, filter or key of a route is an error, because
ignoring it would route differently.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..routing.definition import RouteError
from .gateway_file import GatewayFile
from .spring_file import parse_spring_yaml
from .toml_file import parse_toml


def load_gateway_file(path: Path) -> GatewayFile:
    """Read a ``.yml``, ``.yaml`` or ``.toml`` file; the environment fills Spring's placeholders.

    Raises:
        RouteError: the file is not there, is not understood, or a route in it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RouteError(f"{path}: cannot be read: {error}", tried=f"read {path}") from error
    if path.suffix == ".toml":
        return parse_toml(text, str(path))
    return parse_spring_yaml(text, str(path), os.environ)
