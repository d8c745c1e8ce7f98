"""What a client may do wrong in a session, and the words in which ERROR says so.

The words are data, so that a server may speak like another one: the embedded broker answers like
RabbitMQ, whose texts people search for.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Violation(StrEnum):
    """A rule of the session that a frame broke."""

    MALFORMED = "malformed"
    NOT_CONNECTED = "not-connected"
    ALREADY_CONNECTED = "already-connected"
    NO_COMMON_VERSION = "no-common-version"
    SERVER_COMMAND = "server-command"
    MISSING_HEADER = "missing-header"
    BAD_HEADER = "bad-header"
    NO_ACK_ID = "no-ack-id"
    NO_SUBSCRIPTION_ID = "no-subscription-id"
    DUPLICATE_SUBSCRIPTION = "duplicate-subscription"
    TRANSACTION_OPEN = "transaction-open"
    NO_TRANSACTION = "no-transaction"


#: ``message`` header and body of an ERROR; both are formatted with command, header and value.
Wording = Mapping[Violation, tuple[str, str]]

_MISSING: Final = (
    "{command} without the header '{header}'",
    "{command} must have a header '{header}' that is not empty.",
)

OWN_WORDING: Final[Wording] = {
    Violation.MALFORMED: (
        "{value}",
        "The connection is closed, because nothing that follows a malformed frame can be trusted.",
    ),
    Violation.NOT_CONNECTED: (
        "{command} before CONNECT",
        "The first frame must be CONNECT or STOMP, and CONNECTED must have been received before any other.",
    ),
    Violation.ALREADY_CONNECTED: (
        "{command} in a session that is already connected",
        "A connection carries one session; open another connection for another one.",
    ),
    Violation.NO_COMMON_VERSION: (
        "no common STOMP version",
        "The client accepts {value!r}; this server speaks 1.0, 1.1 and 1.2.",
    ),
    Violation.SERVER_COMMAND: (
        "{command} is sent by servers only",
        "Clients send CONNECT, STOMP, SEND, SUBSCRIBE, UNSUBSCRIBE, ACK, NACK, BEGIN, COMMIT, ABORT "
        "and DISCONNECT.",
    ),
    Violation.MISSING_HEADER: _MISSING,
    Violation.NO_ACK_ID: _MISSING,
    Violation.NO_SUBSCRIPTION_ID: _MISSING,
    Violation.BAD_HEADER: (
        "{command} with an invalid header '{header}'",
        "The value is {value!r}. Allowed: heart-beat two comma-separated numbers of milliseconds; "
        "ack one of auto, client, client-individual.",
    ),
    Violation.DUPLICATE_SUBSCRIPTION: (
        "subscription id {value!r} is in use",
        "Ids of subscriptions are unique within a connection; unsubscribe the old one or choose another id.",
    ),
    Violation.TRANSACTION_OPEN: (
        "transaction {value!r} is already open",
        "BEGIN needs an id that no open transaction of this connection has.",
    ),
    Violation.NO_TRANSACTION: (
        "no transaction {value!r}",
        "{command} names a transaction that was not begun, or has ended.",
    ),
}

#: As RabbitMQ 3.10 words it (docs/wire/brokers.md §5), where it has words for it, to the line end.
RABBITMQ_WORDING: Final[Wording] = {
    **OWN_WORDING,
    Violation.NOT_CONNECTED: ("Illegal command", "You must log in using CONNECT first"),
    Violation.NO_COMMON_VERSION: ("Version mismatch", "Supported versions are 1.0,1.1,1.2\n"),
    Violation.SERVER_COMMAND: ("Bad command", 'Could not interpret command "{command}"\n'),
    Violation.MISSING_HEADER: ("Missing {header}", "\"{command}\" must include a '{header}' header\n"),
    Violation.NO_ACK_ID: ("Missing header", '"{command}" must include the "{header}" header\n'),
    Violation.NO_SUBSCRIPTION_ID: (
        "Missing destination or id",
        "{command} must include a 'destination' or 'id' header",
    ),
    Violation.BAD_HEADER: ("Invalid header", "'{header}' has the value '{value}' on '{command}'.\n"),
    Violation.DUPLICATE_SUBSCRIPTION: (
        "Duplicated subscription identifier",
        "A subscription identified by 'T_{value}' already exists.",
    ),
    Violation.TRANSACTION_OPEN: ("Bad transaction", "Transaction '{value}' has already begun\n"),
    Violation.NO_TRANSACTION: ("Bad transaction", 'Invalid transaction identifier: "{value}"\n'),
}


class Violated(Exception):
    """Raised inside a session when a frame breaks a rule; never leaves it."""

    def __init__(self, violation: Violation, command: str, *, header: str = "", value: str = "") -> None:
        super().__init__(violation)
        self.violation = violation
        self.command = command
        self.header = header
        self.value = value

    def words(self, wording: Wording) -> tuple[str, str]:
        """The ``message`` header and the body of the ERROR."""
        message, detail = wording[self.violation]
        fields = {"command": self.command, "header": self.header, "value": self.value}
        return message.format_map(fields), detail.format_map(fields)
