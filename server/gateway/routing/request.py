"""What a client asks for, as routes, filters and the balancer see it (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from starlette.types import Scope

#: Raw paths beyond this are refused with 414: the regular expressions of routes see no longer
#: ones, so that one with quadratic cost stays bearable.
MAX_PATH = 8 * 1024


class RouteRequest(msgspec.Struct, frozen=True):
    """One request, plain or an upgrade.

    Attributes:
        method: Upper-case, as HTTP has it.
        path: Raw: still percent-encoded; bytes as latin-1.
        query: Raw, without the question mark.
        headers: Names in lower case, in order of arrival.
        client: Address of the peer (not what it says of itself); empty if there is none.
        secure: Whether it came over TLS.
    """

    method: str
    path: str
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    client: str = ""
    secure: bool = False

    @property
    def target(self) -> str:
        """Path and query, as asked for."""
        return f"{self.path}?{self.query.decode('latin-1')}" if self.query else self.path

    def values(self, name: bytes) -> list[bytes]:
        """The values of all headers of that (lower-case) name."""
        return [value for key, value in self.headers if key == name]


def request_of(scope: Scope) -> RouteRequest:
    """The plain request of an ASGI scope."""
    return RouteRequest(
        str(scope["method"]),
        bytes(scope["raw_path"]).decode("latin-1"),
        bytes(scope["query_string"]),
        list(scope["headers"]),
        str(scope["client"][0]) if scope.get("client") else "",
        scope.get("scheme") == "https",
    )
