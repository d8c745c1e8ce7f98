"""Requests as a gateway's routes see them, without a connection."""

from __future__ import annotations

from server.gateway.routing.request import RouteRequest


def get(target: str, client: str = "127.0.0.1", *, method: str = "GET", **headers: str) -> RouteRequest:
    """A request for ``target``; ``x_y="z"`` is the header ``x-y: z``."""
    path, _, query = target.partition("?")
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return RouteRequest(method, path, query.encode(), lines, client)
