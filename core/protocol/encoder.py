"""STOMP frames to bytes (docs/wire/stomp.md §3).

LF only, nothing after the closing NUL, no space after the colon. ``content-length`` is computed for
SEND, MESSAGE and ERROR, written last and also when it is 0; others keep one that they were given.

Frames of one kind have the same header names again and again. So the names of a frame are checked and
escaped once and kept as a *layout*, a format with a place for each value; a frame is then one format
operation, and one search whether any value needs escaping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from ..errors import LocalProtocolError
from .commands import COMMANDS, UNESCAPED, WITH_BODY
from .escaping import escape
from .frames import Frame

#: A heart-beat on the wire.
HEARTBEAT_BYTES: Final = b"\n"

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

# a memo of a pure function; names of forwarded frames are the peer's, so it is bounded in both ways
_layouts: Final[dict[tuple[str, ...], str]] = {}
_MAX_LAYOUTS: Final = 512
_MAX_LAYOUT: Final = 1024


def encode(command: str, headers: Headers = (), body: bytes = b"") -> bytes:
    """Encode one frame.

    Args:
        command: A STOMP command in upper case.
        headers: Names and values, unescaped, in the order in which they are to be written. Pairs
            may repeat a name; the first is the effective one.
        body: Raw bytes; only for SEND, MESSAGE and ERROR.

    Raises:
        LocalProtocolError: Unknown command, a body where none may be, or a header that cannot be
            written (an empty name, NUL, or line ends in CONNECT, STOMP and CONNECTED).
    """
    # a dict is what it nearly always is, and much cheaper to ask for than Mapping
    if type(headers) is dict:
        known = cast("dict[str, str]", headers)
        names = (command, *known)
        values = tuple(known.values())
    else:
        names, values = _columns(command, headers)
    try:
        layout = _layouts[names]
    except KeyError:
        layout = _layout(names)
    text = "".join(values)
    if ":" in text or "\n" in text or "\\" in text or "\r" in text or "\0" in text:
        values = _escaped(names, values)
    try:
        if command in WITH_BODY:
            return b"%b%d\n\n%b\0" % ((layout % values).encode(), len(body), body)
        if body:
            raise LocalProtocolError(f"{command} must not have a body")
        return (layout % values).encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"a header of {command} is not valid Unicode: {error.reason}") from error


def encode_frame(frame: Frame) -> bytes:
    """Encode a frame value, repeated headers included (they follow the others)."""
    if frame.repeated:
        return encode(frame.command, [*frame.headers.items(), *frame.repeated], frame.body)
    return encode(frame.command, frame.headers, frame.body)


def _columns(command: str, headers: Headers) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The command and the names, and the values."""
    items = cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
    pairs = list(items)
    return (command, *(name for name, _ in pairs)), tuple(value for _, value in pairs)


def _layout(names: tuple[str, ...]) -> str:
    """The format for frames of a command with these header names, in this order.

    It ends in ``content-length:`` where that is computed, else with the frame.
    """
    command = names[0]
    if command not in COMMANDS:
        raise LocalProtocolError(f"{command!r} is not a STOMP command")
    with_body = command in WITH_BODY
    lines: list[str] = []
    for name in names[1:]:
        if not name or "\0" in name:
            raise LocalProtocolError(f"a header of {command} has the name {name!r}, which cannot be written")
        if with_body and name == "content-length":
            lines.append("%.0s")  # takes the given value and writes nothing
        elif command not in UNESCAPED:
            lines.append(f"{escape(name)}:".replace("%", "%%") + "%s\n")
        elif any(special in name for special in ":\r\n"):
            raise LocalProtocolError(f"header {name!r} of {command} cannot be written: it knows no escapes")
        else:
            lines.append(f"{name}:".replace("%", "%%") + "%s\n")
    layout = "".join((command, "\n", *lines, "content-length:" if with_body else "\n\0"))
    if len(layout) <= _MAX_LAYOUT:
        if len(_layouts) >= _MAX_LAYOUTS:
            _layouts.clear()
        _layouts[names] = layout
    return layout


def _escaped(names: tuple[str, ...], values: tuple[str, ...]) -> tuple[str, ...]:
    command = names[0]
    for name, value in zip(names[1:], values, strict=True):
        if "\0" in value:
            raise LocalProtocolError(f"header {name!r} of {command} contains NUL, which STOMP cannot carry")
        if command in UNESCAPED and ("\n" in value or "\r" in value):
            raise LocalProtocolError(
                f"header {name!r} of {command} contains a line end; this command knows no escapes"
            )
    return values if command in UNESCAPED else tuple(map(escape, values))
