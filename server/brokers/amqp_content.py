"""STOMP headers as AMQP properties and back, the way RabbitMQ's STOMP plugin does it.

See docs/wire/brokers.md §2, §3.

A peer on STOMP at the same broker sees what a STOMP sender would have produced: a header that has a
property of the same meaning goes there, every other one into the headers table as text, nothing is
set that the sender did not say. Written by hand and not with pamqp's objects, because every message
passes here twice.

Where the plugin drops or garbles, we do not: small integers and booleans of a foreign publisher's
table are kept as text, delivery mode 1 is no ``persistent:1``, and a name of the table that a
MESSAGE has anyway (``destination``, …) never hides the real one.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Mapping
from typing import Final

from core.errors import BrokerRefused

from ..messages.message import NOT_FORWARDED

logger = logging.getLogger("pushscope.server.broker")

#: Class, weight, body size, flags: how the payload of a content header frame begins.
_START: Final = struct.Struct(">HHQH")
_LONG: Final = struct.Struct(">I")
_BASIC: Final = 60

_TYPE: Final = 1 << 15
_ENCODING: Final = 1 << 14
_TABLE: Final = 1 << 13
_MODE: Final = 1 << 12
_PRIORITY: Final = 1 << 11
_PLAIN: Final = _TYPE | _TABLE

#: In the headers table they would hide what a MESSAGE carries of its own from STOMP clients.
_RESERVED: Final = frozenset(name.encode() for name in NOT_FORWARDED)

#: Headers with a property of their own, in the order of the wire: name, flag.
_PROPERTIES: Final = (
    ("content-type", _TYPE),
    ("content-encoding", _ENCODING),
    ("persistent", _MODE),
    ("priority", _PRIORITY),
    ("correlation-id", 1 << 10),
    ("reply-to", 1 << 9),
    ("expiration", 1 << 8),
    ("amqp-message-id", 1 << 7),
    ("timestamp", 1 << 6),
    ("type", 1 << 5),
    ("user-id", 1 << 4),
    ("app-id", 1 << 3),
    ("cluster-id", 1 << 2),
)
#: ``cluster-id`` is deprecated in AMQP and unknown to the plugin.
_SPECIAL: Final = frozenset(name for name, _ in _PROPERTIES) - {"cluster-id"}
#: The order in which the plugin writes them (docs/wire/brokers.md §3).
_ORDER: Final = (
    "app-id",
    "user-id",
    "type",
    "timestamp",
    "amqp-message-id",
    "expiration",
    "reply-to",
    "correlation-id",
    "priority",
    "persistent",
    "content-encoding",
    "content-type",
)
#: What ``reply-to`` is left as it is with; anything else is a queue's plain name.
_REPLIES: Final = (b"/exchange", b"/topic", b"/queue", b"/amq/queue", b"/reply-queue", b"/temp-queue")
#: The longest life of a message in milliseconds; RabbitMQ closes the channel over more.
_LONGEST_LIFE: Final = 0xFFFF_FFFF

#: A header as it is on the wire: name and value, not escaped.
Line = tuple[bytes, bytes]


def encode_content(headers: Mapping[str, str], size: int, login: str = "guest") -> bytes:
    """The payload of the content header frame of a message.

    Args:
        headers: Of the SEND; those that concern the sender's connection only are left out.
        size: Of the body in bytes.
        login: Who is connected; ``user-id`` may name nobody else.

    Raises:
        BrokerRefused: RabbitMQ would close the channel over it, and with it end what others send.
    """
    kind = b""
    flags = _TABLE
    table: list[bytes] = []
    special: dict[str, str] | None = None
    for name, value in headers.items():
        if name == "content-type":
            kind = _short(name, value)
            flags = _PLAIN
        elif name in _SPECIAL:
            if special is None:
                special = {}
            special[name] = value
        elif name not in NOT_FORWARDED:
            text = value.encode()
            table.append(_short("name of a header", name) + b"S" + len(text).to_bytes(4, "big") + text)
    entries = b"".join(table)
    if special is None:
        return b"%b%b%b%b" % (_START.pack(_BASIC, 0, size, flags), kind, _LONG.pack(len(entries)), entries)
    return _encode_all(special, kind, entries, size, login)


def _encode_all(special: dict[str, str], kind: bytes, table: bytes, size: int, login: str) -> bytes:
    flags, values = (_PLAIN, [kind]) if kind else (_TABLE, [])
    encoding = special.get("content-encoding")
    if encoding is not None:
        flags |= _ENCODING
        values.append(_short("content-encoding", encoding))
    values += (_LONG.pack(len(table)), table)
    for name, flag in _PROPERTIES[2:-1]:
        value = special.get(name)
        if value is None or (name == "persistent" and value != "true"):
            continue
        flags |= flag
        values.append(_property(name, value, login))
    return _START.pack(_BASIC, 0, size, flags) + b"".join(values)


def _property(name: str, value: str, login: str) -> bytes:
    match name:
        case "persistent":
            return b"\x02"
        case "priority":
            return _number(name, value, 0xFF).to_bytes(1, "big")
        case "timestamp":
            return _number(name, value, (1 << 64) - 1).to_bytes(8, "big")
        case "expiration":
            return _short(name, str(_number(name, value, _LONGEST_LIFE)))
        case "user-id" if value != login:
            raise _refused(f"user-id {value!r} is not the user of the broker connection")
        case _:
            return _short(name, value)


def _number(name: str, value: str, most: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 21) or int(value) > most:
        raise _refused(f"{name} must be a number from 0 to {most}, not {value[:40]!r}")
    return int(value)


def _short(what: str, value: str) -> bytes:
    data = value.encode()
    if len(data) > 255:
        raise _refused(f"{what} is longer than the 255 bytes that AMQP carries: {value[:40]!r}…")
    return b"%c%b" % (len(data), data)


def _refused(why: str) -> BrokerRefused:
    return BrokerRefused(f"headers: {why}", title="Invalid header", field="headers")


# the way back -----------------------------------------------------------------------------------


def decode_content(payload: bytes) -> list[Line]:
    """The headers of a MESSAGE in the plugin's order, custom ones first; not escaped.

    Args:
        payload: Of a content header frame. RabbitMQ routes messages without looking inside: of one
            that makes no sense, what could be read until there is returned.
    """
    lines: list[Line] = []
    try:
        _decode(payload, lines)
    except (IndexError, struct.error) as error:
        logger.warning("a message with headers that make no sense: %s", error)
    return lines


def body_size(payload: bytes) -> int:
    """How long the body after a content header is."""
    return int.from_bytes(payload[4:12], "big")


def _decode(payload: bytes, lines: list[Line]) -> None:
    flags = _START.unpack_from(payload)[3]
    at = _START.size
    kind = None
    if flags & _TYPE:
        kind, at = _read_short(payload, at)
    if flags & ~_PLAIN:
        _decode_all(payload, flags, at, kind, lines)
        return
    if flags & _TABLE:
        _read_table(payload, at, lines)
    if kind is not None:
        lines.append((b"content-type", kind))


def _decode_all(payload: bytes, flags: int, at: int, kind: bytes | None, lines: list[Line]) -> None:
    found: dict[str, bytes] = {}
    if kind is not None:
        found["content-type"] = kind
    if flags & _ENCODING:
        found["content-encoding"], at = _read_short(payload, at)
    if flags & _TABLE:
        at = _read_table(payload, at, lines)
    for name, flag in _PROPERTIES[2:]:
        if not flags & flag:
            continue
        if name in ("persistent", "priority"):
            found[name] = b"%d" % payload[at]
            at += 1
        elif name == "timestamp":
            found[name] = b"%d" % int.from_bytes(payload[at : at + 8], "big")
            at += 8
        else:
            found[name], at = _read_short(payload, at)
    if found.pop("persistent", b"") == b"2":
        found["persistent"] = b"true"
    reply = found.get("reply-to")
    if reply is not None and not reply.startswith(_REPLIES):
        found["reply-to"] = b"/reply-queue/" + reply
    hidden = {name.encode() for name in found}
    lines[:] = [line for line in lines if line[0] not in hidden]
    lines += [(name.encode(), found[name]) for name in _ORDER if name in found]


def _read_short(payload: bytes, at: int) -> tuple[bytes, int]:
    end = at + 1 + payload[at]
    if end > len(payload):
        raise IndexError("a string is cut off")
    return payload[at + 1 : end], end


def _read_table(payload: bytes, at: int, lines: list[Line]) -> int:
    end = at + 4 + int.from_bytes(payload[at : at + 4], "big")
    at += 4
    if end > len(payload):
        raise IndexError("the headers table is cut off")
    while at < end:
        stop = at + 1 + payload[at]
        name = payload[at + 1 : stop]
        if payload[stop] == 0x53:  # S, a long string: what everybody sends
            at = stop + 5
            stop = at + int.from_bytes(payload[stop + 1 : at], "big")
            if stop > end:
                raise IndexError("a header is cut off")
            if name not in _RESERVED:
                lines.append((name, payload[at:stop]))
            at = stop
        else:
            value, at = _read_value(payload, stop)
            if value is not None and name not in _RESERVED:
                lines.append((name, value))
    return end


def _signed(size: int) -> Callable[[bytes], bytes]:
    return lambda raw: b"%d" % int.from_bytes(raw[:size], "big", signed=True)


def _unsigned(size: int) -> Callable[[bytes], bytes]:
    return lambda raw: b"%d" % int.from_bytes(raw[:size], "big")


#: Types of a table's values that can be text, RabbitMQ's letters: size in bytes, how to write it.
_TEXTS: Final[Mapping[int, tuple[int, Callable[[bytes], bytes]]]] = {
    ord("t"): (1, lambda raw: b"true" if raw[0] else b"false"),
    ord("b"): (1, _signed(1)),
    ord("B"): (1, _unsigned(1)),
    ord("s"): (2, _signed(2)),
    ord("u"): (2, _unsigned(2)),
    ord("I"): (4, _signed(4)),
    ord("i"): (4, _unsigned(4)),
    ord("l"): (8, _signed(8)),
}
#: Those that cannot; the plugin drops them, and so do we: size in bytes, None for a length before.
_OTHERS: Final[Mapping[int, int | None]] = {
    ord("V"): 0,
    ord("f"): 4,
    ord("d"): 8,
    ord("D"): 5,
    ord("T"): 8,
    ord("F"): None,
    ord("A"): None,
    ord("x"): None,
}


def _read_value(payload: bytes, at: int) -> tuple[bytes | None, int]:
    """A table's value that is not a long string; None if it cannot be text."""
    letter = payload[at]
    at += 1
    if letter in _TEXTS:
        size, text = _TEXTS[letter]
        return text(payload[at : at + size]), at + size
    if letter not in _OTHERS:
        raise IndexError(f"a value of unknown type {chr(letter)!r}")
    size = _OTHERS[letter]
    if size is None:
        size = 4 + int.from_bytes(payload[at : at + 4], "big")
    return None, at + size
