"""STOMP frames to bytes (Spring relay specification §1.3).

LF only, nothing after the closing NUL, no space after the colon. ``content-length`` is computed for
SEND, MESSAGE and ERROR, written last and also when it is 0; others keep one that they were given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, cast

from ..errors import LocalProtocolError
from .commands import COMMANDS, UNESCAPED, WITH_BODY
from .escaping import escape
from .frames import Frame

#: A heart-beat on the wire.
HEARTBEAT_BYTES: Final = b"\n"

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


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
    head = encode_head(command, headers)
    if command in WITH_BODY:
        return b"%bcontent-length:%d\n\n%b\0" % (head, len(body), body)
    if body:
        raise LocalProtocolError(f"{command} must not have a body")
    return head + b"\n\0"


def encode_frame(frame: Frame) -> bytes:
    """Encode a frame value, repeated headers included (they follow the others)."""
    headers = frame.headers
    if frame.repeated:
        return encode(frame.command, [*headers.items(), *frame.repeated], frame.body)
    return encode(frame.command, headers, frame.body)


def encode_head(command: str, headers: Headers) -> bytes:
    """Command line and header lines, without ``content-length`` where it is computed.

    Raises:
        LocalProtocolError: As :func:`encode`.
    """
    pairs = _pairs(headers)
    if command in WITH_BODY:
        lines = [f"{name}:{value}\n" for name, value in pairs if name != "content-length"]
    else:
        lines = [f"{name}:{value}\n" for name, value in pairs]
    text = "".join(lines)
    count = len(lines)
    # as many colons and line ends as there are lines: then none is inside a name or a value
    if text.count(":") != count or text.count("\n") != count or _is_unusual(text, command):
        text = "".join([_line(command, name, value) for name, value in pairs])
    try:
        return f"{command}\n{text}".encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"a header of {command} is not valid Unicode: {error.reason}") from error


def _pairs(headers: Headers) -> Collection[tuple[str, str]]:
    # a dict is what it nearly always is, and asking Mapping costs a third of encoding a frame
    if type(headers) is dict or isinstance(headers, Mapping):
        return cast("Mapping[str, str]", headers).items()
    return list(headers)


def _is_unusual(text: str, command: str) -> bool:
    """Whether lines need a closer look although colons and line ends are as expected."""
    return (
        "\\" in text or "\r" in text or "\0" in text or "\n:" in text or text[:1] == ":"
        or command not in COMMANDS
    )  # fmt: skip


def _line(command: str, name: str, value: str) -> str:
    """One header line, escaped where the command wants it; "" for a computed header."""
    if command not in COMMANDS:
        raise LocalProtocolError(f"{command!r} is not a STOMP command")
    if not name:
        raise LocalProtocolError(f"a header of {command} has an empty name")
    if "\0" in name or "\0" in value:
        raise LocalProtocolError(f"header {name!r} of {command} contains NUL, which STOMP cannot carry")
    if command in UNESCAPED:
        if ":" in name or any(end in text for text in (name, value) for end in "\r\n"):
            raise LocalProtocolError(
                f"header {name!r} of {command} contains a line end or a colon in its name; "
                "STOMP does not escape headers of this command"
            )
        return f"{name}:{value}\n"
    if name == "content-length" and command in WITH_BODY:
        return ""
    return f"{escape(name)}:{escape(value)}\n"
