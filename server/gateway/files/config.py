"""Reads a gateway's configuration from a file: Spring's YAML as it is, or our TOML.

Every error and warning names file and line. Keys of a Spring configuration that mean nothing
here are named in a warning; an unknown predicate, filter or key of a route is an error, because
ignoring it would route differently.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

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
    except OSError as error:
        reason = error.strerror or error
        raise RouteError(
            f"{path}: {reason}", tried=f"read {path}", hint="give an existing .yml, .yaml or .toml file"
        ) from error
    except UnicodeDecodeError as error:
        raise RouteError(f"{path}: is not UTF-8 text", tried=f"read {path}") from error
    toml = path.suffix == ".toml"
    file = parse_toml(text, str(path)) if toml else parse_spring_yaml(text, str(path), os.environ)
    if file.routes:
        return file
    where = "[[routes]]" if toml else "spring.cloud.gateway.routes"
    nothing = f"{path} has no routes ({where}): every path but the gateway's own is answered 404"
    return msgspec.structs.replace(file, warnings=(*file.warnings, nothing))
