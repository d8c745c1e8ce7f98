"""What the server calls the users, against what they are called here: users by other names, or by none.

A push goes to a name. A server that knows the user by another one, or knows no name because it does not
ask who comes by that transport, delivers nothing and is healthy all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ..load.transports import transport_of
from ..report.figures import UserRow

#: Users that are listed one by one.
_LISTED: Final = 3


class Doubt(NamedTuple):
    """What may explain losses: in words, "" if nothing; ``always`` is to be said without losses, too."""

    words: str = ""
    always: bool = False


def known_otherwise(rows: Iterable[UserRow]) -> list[UserRow]:
    """The users whom the server called by another name."""
    return [row for row in rows if row.known_as not in ("", row.user)]


def other_names(others: Sequence[UserRow], total: int) -> str:
    """Which users of how many have other names at the server, and which names."""
    listed = ", ".join(f"{row.user!r} as {row.known_as!r}" for row in others[:_LISTED])
    more = ", …" if len(others) > _LISTED else ""
    words = f"the server knows {len(others)} of {total} users by another name: {listed}{more}"
    if len({row.known_as for row in others}) < len(others):
        words += "; users of one name are sessions of one user"
    return f"{words} (user-name of CONNECTED)"


def missing_names(rows: Iterable[UserRow], shares: Mapping[str, int]) -> Doubt:
    """What follows from a CONNECTED without ``user-name``; many servers never send one."""
    met = [row for row in rows if row.connected_t >= 0]
    silent = sorted({transport_of(row.user, shares) for row in met if not row.known_as})
    named = sorted({transport_of(row.user, shares) for row in met if row.known_as})
    if not silent:
        return Doubt()
    if not named:
        return Doubt(
            "the server names no user in CONNECTED (user-name): it may know them by other names, or by none"
        )
    return Doubt(
        f"the server names the users of {', '.join(named)} in CONNECTED (user-name) and not those of "
        f"{', '.join(silent)}: it probably does not know who they are",
        always=True,
    )
