"""How an instance appears inside somebody's service: under which path, and with what."""

from __future__ import annotations

from typing import Final

import msgspec

from ..access.admission import Scope


class Mount(msgspec.Struct, frozen=True):
    """What of an instance is served.

    Attributes:
        path: Path of the STOMP endpoint, behind the prefix of the mount; "" is the prefix itself.
        push_api: Whether ``/push`` and ``/test`` are served.
        admin: Whether ``/health``, ``/info``, ``/metrics`` and ``/stages`` are served.
    """

    path: str = "/ws"
    push_api: bool = True
    admin: bool = True


#: An instance on its own.
WHOLE: Final = Mount()


def path_in(scope: Scope) -> str:
    """The path behind the prefix under which we are mounted.

    Frameworks leave the whole path in ``path`` and name the prefix in ``root_path``; a server that was
    told of a proxy's prefix may name it there without the path having it.
    """
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    rest = path.removeprefix(root)
    return rest if not rest or rest.startswith("/") else path
