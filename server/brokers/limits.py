"""What a broker, and whoever receives from it, takes in one message: told at the door, not by a cut link.

An instance has one connection for all of its clients, and a frame that breaks a limit ends it for all of
them. So the shape of a message is compared with the limits before its first byte is written. They are
those of the SEND frame: number of headers, length of each line, and all of it together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NoReturn

import msgspec

from core.errors import BrokerRefused, UsageError
from core.protocol import BROKER_LIMITS
from core.protocol.escaping import escape
from core.protocol.limits import KIB, MIB

#: ``destination``, ``receipt`` and ``content-length``, ``simpOrigDestination`` and our own mark.
_OUR_HEADERS: Final = 5
#: A MESSAGE has more than its SEND: ``subscription``, ``message-id``, ``ack``, and what a broker adds.
_ROOM: Final = 256 * KIB
#: Characters become up to this many bytes: UTF-8, or an escape.
_WIDEST: Final = 4
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")
#: Carries the user of a message that is broadcast.
_USER: Final = "simpOrigDestination"
#: Which field of a push becomes a header of ours.
_FIELDS: Final = {"destination": "destination", _USER: "user"}


#: Properties of AMQP, whose length is one byte there. RabbitMQ takes longer ones over STOMP, and fails the
#: connections of those who are to get them over AMQP.
SHORT: Final = frozenset(
    {"content-type", "content-encoding", "correlation-id", "reply-to", "type", "app-id", "amqp-message-id"}
)
LONGEST_SHORT: Final = 255
#: Properties that must be numbers; anything else closes the connection, or does not arrive.
NUMBERS: Final = frozenset({"priority", "timestamp", "expiration", "expires"})
NUMBER: Final = re.compile(r"[0-9]{1,13}")
_ANY: Final = 10**13 - 1
_LARGEST: Final = {"priority": 255, "expiration": 2**32 - 1}
#: What a message rarely has and is looked at closely for.
_RARE: Final = (SHORT | NUMBERS | {"user-id"}) - {"content-type"}
#: So many characters are not too many bytes.
_SURELY_SHORT: Final = LONGEST_SHORT // _WIDEST


class MessageLimits(msgspec.Struct, frozen=True):
    """Limits of a message on its way to a broker.

    Attributes:
        headers: Headers, with those that we add.
        line: Bytes of one header, as ``name:value`` and escaped.
        head: Bytes of all headers; they are one frame for who hears the message over AMQP.
        frame: Bytes of headers and body together.
        whose: Who takes no more, for the words of a refusal.
        login: The only ``user-id`` that it takes; None: any.
    """

    headers: int = 200
    line: int = BROKER_LIMITS.max_header_line
    head: int = 120 * KIB
    frame: int = BROKER_LIMITS.max_frame - _ROOM
    whose: str = "a broker link"
    login: str | None = None

    def check(self, destination: str, headers: Mapping[str, str], size: int, user: str = "") -> None:
        """Refuse a message that is too much; cheap for one that is far from it.

        Args:
            destination: Where it goes.
            headers: Its headers, with or without ours.
            size: Bytes of its body.
            user: Whom it is for, who becomes part of a header.

        Raises:
            BrokerRefused: It names the limit and the field of a push that it concerns.
        """
        names = sum(map(len, headers))
        total = len(destination) + len(user) + names + sum(map(len, headers.values()))
        if (
            len(headers) > self.headers - _OUR_HEADERS
            or total * _WIDEST > self.line
            or size + self.line > self.frame
            or (names > _SURELY_SHORT and max(map(len, headers)) > _SURELY_SHORT)
            or len(headers.get("content-type", "")) > _SURELY_SHORT
            or not _RARE.isdisjoint(headers)
        ):
            self._measure(destination, headers, size, user)

    def _measure(self, destination: str, headers: Mapping[str, str], size: int, user: str) -> None:
        most = self.headers - _OUR_HEADERS
        if len(headers) > most:
            what = f"{len(headers)}, ours among them, are more than the {most} headers"
            self._refuse("Too many headers", "headers", what)
        head = 0
        lines = (("destination", destination), (_USER, user and f"{user}{destination}"), *headers.items())
        for name, value in lines:
            self._check_property(name, value)
            line = _bytes_of(name) + 1 + _bytes_of(value)
            if line > self.line:
                field = _FIELDS.get(name, "headers")
                what = f"{name[:60]!r} is {line} bytes long, more than the {self.line} bytes of a header"
                self._refuse("Header too long", field, what)
            head += line + 1
        if head > self.head:
            what = f"{head} bytes are more than the {self.head} bytes of all headers"
            self._refuse("Headers too long", "headers", what)
        if head + size > self.frame:
            what = f"{head + size} bytes are more than the {self.frame} bytes of a message"
            self._refuse("Message too large", "payload", what)

    def _check_property(self, name: str, value: str) -> None:
        """What becomes a property of AMQP at RabbitMQ and a number at ActiveMQ, or ends the link."""
        why = ""
        if _bytes_of(name) > LONGEST_SHORT:
            why = f"the name {name[:60]!r}… is longer than the {LONGEST_SHORT} bytes of a name"
        elif name in SHORT and len(value.encode("utf-8", "surrogatepass")) > LONGEST_SHORT:
            why = f"{name!r} is longer than the {LONGEST_SHORT} bytes"
        elif name in NUMBERS and (NUMBER.fullmatch(value) is None or int(value) > _LARGEST.get(name, _ANY)):
            why = f"{name!r} must be a number from 0 to {_LARGEST.get(name, _ANY)}, and that is all"
        elif name == "user-id" and self.login is not None and value != self.login:
            why = f"{name!r} must be the user of the connection to the broker, and that is all"
        if why:
            self._refuse("Invalid header", "headers", why)

    def _refuse(self, title: str, field: str, what: str) -> NoReturn:
        raise BrokerRefused(f"{field}: {what} that {self.whose} takes", title=title, field=field)


#: Of our own broker, and of every link: what we send must be what our own parsers take as MESSAGE.
LINK_LIMITS: Final = MessageLimits()


def limits_of(server: str, login: str) -> MessageLimits:
    """The limits of a STOMP broker by what it calls itself; a broker that is not known has only ours.

    Args:
        server: Header of CONNECTED.
        login: Who we are there.

    RabbitMQ has taken 4 MiB a frame since 3.13 and 100 headers since 4.0 (docs/wire/brokers.md §6), ActiveMQ
    10 KiB a header line.
    """
    version = _VERSION.search(server)
    number: tuple[int, ...] = () if version is None else (int(version[1]), int(version[2]))
    changes: dict[str, int] = {}
    user: str | None = None
    if server.startswith("RabbitMQ/"):
        user = login
        if number >= (3, 13):
            changes["frame"] = 4 * MIB - KIB
        if number >= (4, 0):
            changes["headers"] = 100
    elif server.startswith("ActiveMQ/"):
        changes["line"] = 10 * KIB - 1
    if not changes and user is None:
        return LINK_LIMITS
    return msgspec.structs.replace(LINK_LIMITS, whose=f"the link to {server[:60]}", login=user, **changes)


def check_client_frames(limits: MessageLimits, max_frame: int, max_message: int | None = None) -> None:
    """See that what clients may send can be passed on.

    Raises:
        UsageError: The broker would refuse the largest frames of clients; names option and limit.
    """
    for name, value in (("max-frame", max_frame), ("max-message", max_message)):
        if value is not None and value > limits.frame:
            raise UsageError(
                f"--{name} {value} is more than the {limits.frame} bytes that {limits.whose} takes",
                tried=f"let clients send {value} bytes at a time",
                hint=f"give --{name} {limits.frame} at most",
            )


def _bytes_of(text: str) -> int:
    return len(escape(text).encode("utf-8", "surrogatepass"))
