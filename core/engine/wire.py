"""Commands and events as JSON lines, for an engine that runs as a child.

One value a line, UTF-8, ended by a single line feed; the field ``type`` names the class.
Both sides of a pipe use these four functions and nothing else.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ..errors import UsageError
from .messages import Command, Event

_ENCODER: Final = msgspec.json.Encoder()
_COMMANDS: Final = msgspec.json.Decoder(Command)
_EVENTS: Final = msgspec.json.Decoder(Event)


def encode_command(command: Command) -> bytes:
    """One line, with its line feed, for the engine's standard input."""
    return _ENCODER.encode(command) + b"\n"


def encode_event(event: Event) -> bytes:
    """One line, with its line feed, for the engine's standard output."""
    return _ENCODER.encode(event) + b"\n"


def decode_command(line: bytes) -> Command:
    """The command of one line.

    Raises:
        UsageError: the line is not a command; says which field is wrong.
    """
    try:
        return _COMMANDS.decode(line)
    except msgspec.DecodeError as error:
        raise UsageError(f"not a command: {error}", tried=line[:200].decode("utf-8", "replace")) from error


def decode_event(line: bytes) -> Event:
    """The event of one line.

    Raises:
        UsageError: the line is not an event; says which field is wrong.
    """
    try:
        return _EVENTS.decode(line)
    except msgspec.DecodeError as error:
        raise UsageError(f"not an event: {error}", tried=line[:200].decode("utf-8", "replace")) from error
