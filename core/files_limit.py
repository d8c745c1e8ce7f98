"""Open files: every connection is one, and the usual soft limit is 1,024."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FilesLimit:
    """How many files this process may open: now, and at most without an administrator."""

    soft: int
    hard: int


def raise_files_limit() -> FilesLimit | None:
    """Raise the soft limit of open files to the hard one; called by everything that holds connections.

    Returns:
        The limit now in force, or None where there is none to raise (Windows). Never raises: a
        limit that cannot be raised stays as it is.
    """
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS calls the hard limit infinite, and refuses more than OPEN_MAX (sys/syslimits.h).
    wanted = 10_240 if sys.platform == "darwin" and hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or soft < wanted):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return files_limit()
    return files_limit()


def files_limit() -> FilesLimit | None:
    """The limit in force; an endless one is given as ``sys.maxsize``. None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    endless = resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return FilesLimit(sys.maxsize if soft == endless else soft, sys.maxsize if hard == endless else hard)
