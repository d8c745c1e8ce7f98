"""Sends what handlers return (docs/wire/spring-relay.md §7.4)."""

from __future__ import annotations

from core.errors import PushscopeError
from core.protocol import Subscribe

from ..messages.framing import OutgoingMessage
from ..sessions.guard import Guard
from ..sessions.hub import Hub
from ..sessions.session import Session
from ..settings.instance import InstanceSettings
from ..users.local_delivery import LocalDelivery, UserMessage
from ..users.strategies import Strategy
from ..users.undeliverable import Origin
from .conversion import encode_payload
from .handler import Handler, expand
from .invocation import Invocation
from .marks import SendTo, SendToUser
from .template import MessagingTemplate

_TO_DEFAULT = (SendTo(),)


class ReplyRefused(PushscopeError):
    """A client chose the destination of a reply, through its path, so that it must not be sent."""


class Replies:
    """Sends results of handlers to users, to destinations, or straight to a subscriber."""

    def __init__(
        self,
        settings: InstanceSettings,
        template: MessagingTemplate,
        strategy: Strategy,
        local: LocalDelivery,
        hub: Hub,
        guard: Guard,
    ) -> None:
        self._instance = settings.id
        self._user_prefix = settings.prefixes.user
        self._template = template
        self._strategy = strategy
        self._local = local
        self._hub = hub
        self._guard = guard
        self._count = 0

    def send(self, handler: Handler, invocation: Invocation, result: object) -> None:
        """Send a result where its handler says; None is no result.

        Raises:
            BrokerUnavailable: It was not sent, or not to all.
            MessageConversionError: It cannot be sent.
            ReplyRefused: The client's path leads to what clients may not send to.
            UsageError: Nobody takes what is sent there.
        """
        if result is None:
            return
        body, content_type = encode_payload(result)
        headers = {"content-type": content_type}
        for reply in handler.replies or _TO_DEFAULT:
            match reply:
                case SendToUser():
                    self._to_user(invocation, reply, headers, body)
                case SendTo():
                    for destination in reply.destinations or ("",):
                        self._publish(invocation, destination, headers, body)

    def answer(self, session: Session, event: Subscribe, result: object) -> None:
        """Send a result straight to the one who subscribes.

        Raises:
            MessageConversionError: It cannot be sent.
        """
        if result is None or session.closed or event.id not in session.subscriptions:
            return
        body, content_type = encode_payload(result)
        self._count += 1
        headers = {
            "destination": event.destination,
            "message-id": f"{self._instance}-{session.id}-{self._count}",
            "content-type": content_type,
        }
        self._hub.deliver_one(session, event.id, OutgoingMessage(headers, body))

    def _to_user(
        self, invocation: Invocation, reply: SendToUser, headers: dict[str, str], body: bytes
    ) -> None:
        session = invocation.session
        destination = expand(reply.destination, invocation.variables) or _under("/queue", invocation.path)
        destination = self._template.for_user(destination)
        user = session.user
        message = UserMessage(user or session.id, destination, headers, body, None, Origin.HANDLER)
        if user and reply.broadcast:
            # Whether this instance has stood still is not asked: nobody could send the reply again.
            self._strategy.send(message)
        else:  # an anonymous session is addressed by itself (docs/wire/spring-relay.md §4.4)
            self._local.to_only(session, message)

    def _publish(self, invocation: Invocation, pattern: str, headers: dict[str, str], body: bytes) -> None:
        destination = expand(pattern, invocation.variables) or _under("/topic", invocation.path)
        if destination != pattern and not destination.startswith(self._user_prefix):
            why = self._guard.refuse_send(destination, invocation.session.id)
            if why:
                raise ReplyRefused(f"a reply cannot be sent to {destination!r}: {why}")
        self._template.publish(destination, headers, body)


def _under(prefix: str, path: str) -> str:
    """The default destination: ``/topic`` + path (docs/wire/spring-relay.md §7.4)."""
    return prefix + path if path.startswith("/") else f"{prefix}/{path}"
