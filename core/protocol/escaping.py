r"""Escapes in STOMP headers (STOMP 1.2, "Value Encoding"; docs/wire/stomp.md §2, §3).

Four characters are written as ``\r``, ``\n``, ``\c`` and ``\\``, in names and values alike, whatever
the version, as Spring and RabbitMQ do. Only heads of CONNECT, STOMP and CONNECTED are left alone.
"""

from __future__ import annotations

import re
from typing import Final

_UNESCAPE: Final = {"\\\\": "\\", "\\c": ":", "\\n": "\n", "\\r": "\r"}
_ESCAPED: Final = re.compile(r"\\.?", re.DOTALL)


def escape(text: str) -> str:
    """Escape a header's name or value."""
    return text.replace("\\", "\\\\").replace(":", "\\c").replace("\n", "\\n").replace("\r", "\\r")


def unescape(text: str, *, lenient: bool = False) -> str:
    r"""Undo :func:`escape`.

    Args:
        text: A header's name or value as it was on the wire.
        lenient: Keep unknown escapes as they are. For peers that speak STOMP 1.0, which has no
            escapes at all: a backslash there is a backslash. Known escapes are undone even so,
            because we write them to 1.0 peers too and they send back what they got (message ids).

    Raises:
        ValueError: Unknown escape or a lone backslash at the end, with the escape as its text.
    """
    if "\\" not in text:
        return text
    # a run of backslashes always begins at an escape, so pairs can be cut out first
    parts = [
        part.replace("\\c", ":").replace("\\n", "\n").replace("\\r", "\r") for part in text.split("\\\\")
    ]
    if any("\\" in part for part in parts):
        return _ESCAPED.sub(_leave if lenient else _refuse, text)
    return "\\".join(parts)


def _leave(match: re.Match[str]) -> str:
    return _UNESCAPE.get(match[0], match[0])


def _refuse(match: re.Match[str]) -> str:
    plain = _UNESCAPE.get(match[0])
    if plain is None:
        raise ValueError(match[0])
    return plain
