"""What a request is for: its Host header, and targets in the absolute form (RFC 9112 §3.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ABSOLUTE = re.compile(rb"(?i:https?|wss?)://([^/?#]*)(.*)", re.DOTALL)
#: RFC 3986 §3.2.2, and a port: what a Host header may be. No fragment, and nobody in front of an @: what
#: looks like this machine to one who reads it as a URL must not be another host for the next.
AUTHORITY = re.compile(
    rb"(?:\[[0-9A-Za-z:.%_~-]*\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?",
)
#: RFC 3986 §3.2.2, and a port. A login in front of it is deprecated in a target (RFC 9110 §4.2.4).
_AUTHORITY = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]+")


def host_trouble(version: str, hosts: Sequence[bytes]) -> str:
    """Why these Host headers of a request are none, or "" (RFC 9112 §3.2: 400 then).

    Args:
        version: Of HTTP, as ``1.1``.
        hosts: The values of all of them.
    """
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        return f"a request has one Host header, not {len(hosts)}"
    if not all(AUTHORITY.fullmatch(host) for host in hosts):
        return "the Host header is no host"
    return ""


def settle_target(target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The target in the origin form; its host takes the place of what ``Host`` says.

    So whoever looks at the Host header sees the host that was asked for: a server must ignore the
    header beside an absolute target. A target in any other form is returned as it is.

    Args:
        target: As it came.
        headers: Names in lower case; changed in place.

    Raises:
        ValueError: it names no host, or more than one.
    """
    if target.startswith((b"/", b"*")):
        return target
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return target  # the parser of the path says what it is not
    authority, rest = match.groups()
    if not _AUTHORITY.fullmatch(authority):
        raise ValueError("the request target names no host")
    headers[:] = [(name, authority if name == b"host" else value) for name, value in headers]
    return rest if rest.startswith(b"/") else b"/" + rest
