"""Flags that say which routes a gateway has: the same for ``gateway`` and ``serve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from server.roles.options import GatewayOptions

_PANEL = "Routes"

Routes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Spring's application.yml or .properties, or TOML; of several files the last one counts.",
        rich_help_panel=_PANEL,
    ),
]
Profile = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Active profile, instead of SPRING_PROFILES_ACTIVE and what the files say; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Refuse files with a predicate or filter that is not known, instead of leaving its route out.",
        rich_help_panel=_PANEL,
    ),
]
IgnoreFilter = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A filter of your own that routes may go without; repeatable.",
        rich_help_panel=_PANEL,
    ),
]


def gateway_of(
    routes: list[str] | None, profile: list[str] | None, ignore: list[str] | None, *, strict: bool
) -> GatewayOptions:
    """What a gateway is told of its routes."""
    from server.roles.options import GatewayOptions

    return GatewayOptions(
        routes=",".join(routes or []),
        profiles=",".join(profile or []),
        strict=strict,
        ignored_filters=" ".join(ignore or []),
    )
