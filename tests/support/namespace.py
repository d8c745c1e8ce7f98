"""A network of its own for a program: a loopback of its own, and an address that is not loopback's."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Sequence
from typing import Final

#: Who connects to this address inside comes from it, and so from elsewhere than loopback.
OUTSIDE: Final = "10.99.0.1"
_SET_UP: Final = f'ip link set lo up && ip addr add {OUTSIDE}/32 dev lo && exec "$@"'


def inside(words: Sequence[str]) -> list[str]:
    """The words of a command line that runs ``words`` in a new network; root's, or an unprivileged one."""
    privileged = os.name == "posix" and os.geteuid() == 0
    unshare = ["unshare", "--net"] if privileged else ["unshare", "--user", "--map-root-user", "--net"]
    return [*unshare, "sh", "-c", _SET_UP, "sh", *words]


@functools.cache
def namespace_trouble() -> str:
    """Why there can be no network of our own here, "" if there can."""
    done = subprocess.run(inside(["true"]), capture_output=True, text=True, timeout=20, check=False)
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()
    return f"no network of its own for a program ({said[-1] if said else done.returncode}): run as root"
