"""Reads a gateway's configuration from files: Spring's YAML and properties as they are, or our TOML.

Every error and warning names file and line. Keys of a Spring configuration that mean nothing here are
named in a warning. A route with a predicate or filter that is not known is closed, with a warning: without
it, it would let through what it should not.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.errors import UsageError

from ...spring.configuration import text_of
from ..routing.definition import RouteError
from .gateway_file import GatewayFile
from .spring_file import load_spring_files
from .toml_file import parse_toml
from .wishes import WISHES, Wishes


def load_gateway_file(*paths: Path, wishes: Wishes = WISHES) -> GatewayFile:
    """Read Spring's files (of a key that several say the last one counts), or one of ours.

    The environment fills Spring's placeholders, and names profiles if ``wishes`` do not.

    Raises:
        RouteError: a file is not there, is not understood, or says something that makes no sense.
    """
    ours = [path for path in paths if path.suffix == ".toml"]
    if ours and len(paths) > 1:
        raise RouteError(
            f"{ours[0]}: TOML stands alone", tried=f"read {len(paths)} files", hint="give it alone"
        )
    if ours:
        file, where = parse_toml(_text_of(ours[0]), str(ours[0])), "[[routes]]"
    else:
        file, where = load_spring_files(paths, os.environ, wishes), "spring.cloud.gateway.routes"
    if file.leads_anywhere:
        return file
    return msgspec.structs.replace(file, warnings=(*file.warnings, _no_route(paths, file, where)))


def _no_route(paths: Sequence[Path], file: GatewayFile, where: str) -> str:
    names = ", ".join(map(str, paths))
    left = f"all {len(file.routes)} routes are left out" if file.routes else f"no routes ({where})"
    has = left if file.routes else f"{names} has {left}"
    return f"{has}: every path but the gateway's own is answered 404"


def _text_of(path: Path) -> str:
    try:
        return text_of(path)
    except UsageError as error:
        raise RouteError(str(error), tried=error.tried, hint=error.hint) from error
