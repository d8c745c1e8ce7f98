"""What a request for an upgrade is without it."""

from __future__ import annotations

from typing import Final

_OF_UPGRADES: Final = (b"upgrade", b"http2-settings")


def head_without_upgrade(method: str, url: bytes, version: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The head of a request that asks for the same and for no upgrade, with its empty line.

    Args:
        method: Upper-case method.
        url: The request target.
        version: "1.1" or "1.0".
        headers: Names in lower case, and values.
    """
    lines = [b"%b %b HTTP/%b\r\n" % (method.encode(), url, version.encode())]
    for name, value in headers:
        if name in _OF_UPGRADES:
            continue
        if name == b"connection":
            value = b",".join(x for x in value.split(b",") if x.strip().lower() not in _OF_UPGRADES)
            if not value:
                continue
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines) + b"\r\n"
