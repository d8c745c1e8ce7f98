"""How a gateway's files are to be read, as a command line says it."""

from __future__ import annotations

import msgspec


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted besides the files themselves.

    Attributes:
        profiles: Active ones, instead of those that the environment or the files name.
        strict: Refuse a file with a predicate or filter that is not known, instead of leaving its
            route out.
        ignored: Names of filters that are taken as if they were not there.
    """

    profiles: tuple[str, ...] = ()
    strict: bool = False
    ignored: frozenset[str] = frozenset()


#: Nothing but the files.
WISHES = Wishes()
