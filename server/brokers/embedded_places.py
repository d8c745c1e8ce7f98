"""What a destination means at the embedded broker: RabbitMQ's kinds, and its words for what is none.

Inside the broker a topic is ``/topic/KEY``, a queue ``/queue/NAME`` and a binding of the direct
exchange ``/exchange/amq.direct/KEY``; all other ways of writing them lead there (docs/wire/brokers.md §1).
"""

from __future__ import annotations

from typing import Final

import msgspec

_KINDS: Final = "/temp-queue, /exchange, /topic, /queue, /amq/queue, /reply-queue/"

#: Longest destination and subscription id; both are kept for long.
LONGEST: Final = 1024
#: The prefix that makes a ``reply-to`` a queue of the sender's own.
TEMPORARY: Final = "/temp-queue/"


class Refused(Exception):
    """A frame that the broker refuses: the words of the ERROR, and whether the connection ends."""

    def __init__(self, message: str, detail: str, *, closes: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.closes = closes


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where messages go to and come from.

    Attributes:
        name: The name inside the broker.
        declares: Whether using it creates it; otherwise a queue that is not there is missing.
    """

    name: str
    declares: bool = True


def place_of(destination: str, command: str) -> Place:
    """The place that a destination of a SEND or SUBSCRIBE names.

    Raises:
        Refused: It names none.
    """
    if len(destination) > LONGEST:
        raise Refused("Invalid destination", f"It is longer than {LONGEST} characters.\n")
    if not destination.startswith("/"):
        return Place(f"/queue/{destination}")  # a bare name means a queue
    kind, slash, name = destination[1:].partition("/")
    match kind:
        case "topic" | "queue":
            if not name or "/" in name:
                raise _invalid(slash + name, kind)
            return Place(destination)
        case "exchange":
            return _of_exchange(slash + name)
        case "amq" if name.startswith("queue/"):
            queue = name.removeprefix("queue/")
            if not queue or "/" in queue:
                raise _invalid(f"/{queue}", "amq/queue")
            return Place(f"/queue/{queue}", declares=False)
        case "reply-queue" if name:
            return Place(f"/queue/{name}", declares=False)
        case "temp-queue":
            raise Refused(
                "Invalid destination", f"'{destination}' is not a valid destination for '{command}'\n"
            )
        case _:
            raise Refused(
                "Unknown destination",
                f"'{destination}' is not a valid destination.\nValid destination types are: {_KINDS}.\n",
            )


def missing(what: str, name: str) -> Refused:
    """The refusal of a queue or an exchange that is not there; it ends the connection."""
    return Refused("not_found", f"NOT_FOUND - no {what} '{name}' in vhost '/'", closes=True)


def _of_exchange(rest: str) -> Place:
    segments = rest.split("/")[1:]
    if not 1 <= len(segments) <= 2 or not segments[0]:
        raise _invalid(rest, "exchange")
    exchange, key = segments[0], segments[1] if len(segments) == 2 else ""
    match exchange:
        case "amq.topic":
            return Place(f"/topic/{key}")
        case "amq.direct":
            return Place(f"/exchange/amq.direct/{key}")
        case _:
            raise missing("exchange", exchange)


def _invalid(rest: str, kind: str) -> Refused:
    return Refused("Invalid destination", f"'{rest}' is not a valid {kind} destination\n")
