"""How an instance appears inside somebody's service: under which path, with what, and who its users are."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

Scope = dict[str, Any]

#: Names the user of a handshake, given its ASGI scope: "" for an anonymous one, None to refuse it.
UserOf = Callable[[Scope], str | Awaitable[str | None] | None]


class Mount(msgspec.Struct, frozen=True):
    """What of an instance is served, and as whom clients come.

    Attributes:
        user: Names the user of a handshake; without it ``?user=`` and STOMP's ``login`` do, which
            anybody can claim to be.
        path: Path of the STOMP endpoint, behind the prefix of the mount; "" is the prefix itself.
        push_api: Whether ``/push`` and ``/test`` are served.
        admin: Whether ``/health``, ``/info``, ``/metrics`` and ``/stages`` are served.
    """

    user: UserOf | None = None
    path: str = "/ws"
    push_api: bool = True
    admin: bool = True


#: An instance on its own.
WHOLE: Final = Mount()


async def name_user(user_of: UserOf, scope: Scope) -> str | None:
    """The user of a handshake, whether the host names it at once or later."""
    found = user_of(scope)
    return await found if inspect.isawaitable(found) else found


def path_in(scope: Scope) -> str:
    """The path behind the prefix under which we are mounted.

    Frameworks leave the whole path in ``path`` and name the prefix in ``root_path``; a server that was
    told of a proxy's prefix may name it there without the path having it.
    """
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    rest = path.removeprefix(root)
    return rest if not rest or rest.startswith("/") else path
