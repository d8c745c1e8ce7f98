"""What handlers can ask for: one message of a client, and who sent it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NewType

from core.protocol import Frame

if TYPE_CHECKING:
    from ..sessions.session import Session
    from .template import MessagingTemplate

#: Annotation of a parameter that gets the name of the sender's user; ``User | None`` where the
#: sender may be anonymous.
User = NewType("User", str)

#: Annotation of a parameter that gets the id of the sender's session.
SessionId = NewType("SessionId", str)


class Headers(Mapping[str, str]):
    """All headers of a message; of a repeated one the first value counts (STOMP 1.2)."""

    __slots__ = ("_first", "_repeated")

    def __init__(self, first: Mapping[str, str], repeated: Sequence[tuple[str, str]] = ()) -> None:
        self._first = first
        self._repeated = repeated

    def __getitem__(self, name: str) -> str:
        return self._first[name]

    def __iter__(self) -> Any:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        if name not in self._first:
            return []
        return [self._first[name], *(value for other, value in self._repeated if other == name)]


@dataclass(frozen=True, slots=True)
class MessageContext:
    """A message of a client: who sent it, where to, with what.

    Attributes:
        user: Name of the user; "" if the session is anonymous.
        session_id: Id of the session.
        destination: As the client wrote it.
        headers: Its headers.
        body: Its payload as it came.
        variables: Variables of the path.
        attributes: What interceptors and handlers keep about the session; one dict for its life.
    """

    user: str
    session_id: str
    destination: str
    headers: Mapping[str, str]
    body: bytes = b""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])


class Invocation:
    """One call of a handler: where its arguments come from.

    Attributes:
        session: Who sent the message.
        frame: The SEND or SUBSCRIBE frame.
        destination: Its destination.
        path: Its destination behind the application prefix.
        variables: Variables of the path.
        template: For handlers that send.
        error: What an exception handler is called for.
    """

    __slots__ = ("destination", "error", "frame", "path", "session", "template", "variables")

    def __init__(
        self,
        session: Session,
        frame: Frame,
        destination: str,
        path: str,
        variables: Mapping[str, str],
        template: MessagingTemplate,
    ) -> None:
        self.session = session
        self.frame = frame
        self.destination = destination
        self.path = path
        self.variables = variables
        self.template = template
        self.error: Exception | None = None

    def context(self) -> MessageContext:
        """The message for a handler that wants all of it."""
        session, frame = self.session, self.frame
        return MessageContext(
            session.user,
            session.id,
            self.destination,
            Headers(frame.headers, frame.repeated),
            frame.body,
            self.variables,
            session.attributes,
        )
