"""Sending from application code, as with Spring's ``SimpMessagingTemplate``.

See docs/wire/spring-relay.md §7.5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Literal, overload

from core.errors import BrokerUnavailable, UsageError
from core.protocol import application_path, is_broker_destination, split_user_destination

from ..brokers.base import Broker, Settled
from ..messages.counters import Counters
from ..messages.stages import Stage, StageLog
from ..settings.instance import InstanceSettings
from ..users.local_delivery import UserMessage
from ..users.strategies import Strategy
from ..users.undeliverable import Origin
from .conversion import encode_payload

#: Headers that an application may not set, because the way to the client depends on them.
_RESERVED: Final = frozenset(
    {
        "destination",
        "subscription",
        "message-id",
        "content-length",
        "simpOrigDestination",
        "receipt",
        "ps-via",
    }
)
_NO_HEADERS: Final[Mapping[str, object]] = {}


class MessagingTemplate:
    """Sends to destinations and to users, from a handler or from anything else in the event loop.

    A handler gets it as a parameter of this type; other code has it as ``Instance.template``.
    Payloads are converted: ``str`` to text, ``bytes`` as they are, anything else to JSON. Everything
    sent from one instance to one client arrives in the order in which it was sent.

    ``confirm=True`` returns what is to be awaited: it ends when the broker has the message. Without
    it a message is accepted when it is handed to the connection to the broker.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        strategy: Strategy,
        broker: Broker,
        counters: Counters,
        stages: StageLog,
        in_step: Callable[[], bool],
    ) -> None:
        self._prefixes = settings.prefixes
        self._strategy = strategy
        self._broker = broker
        self._counters = counters
        self._stages = stages
        self._in_step = in_step

    @overload
    def send(
        self,
        destination: str,
        payload: object,
        headers: Mapping[str, object] = ...,
        *,
        confirm: Literal[False] = False,
    ) -> None: ...

    @overload
    def send(
        self,
        destination: str,
        payload: object,
        headers: Mapping[str, object] = ...,
        *,
        confirm: Literal[True],
    ) -> asyncio.Future[None]: ...

    def send(
        self,
        destination: str,
        payload: object,
        headers: Mapping[str, object] = _NO_HEADERS,
        *,
        confirm: bool = False,
    ) -> asyncio.Future[None] | None:
        """Send to a destination: ``/topic/news``, ``/queue/work``, ``/user/joe/queue/x``.

        Args:
            destination: Where to; a slash in the name of a user is ``%2F``.
            payload: What to send.
            headers: Further headers for the receivers, made strings; ``content-type`` decides how
                the payload is converted.
            confirm: Return what is to be awaited until the broker has it.

        Raises:
            BrokerUnavailable: Nothing was sent; from the awaiting if the broker did not take it.
            MessageConversionError: The payload cannot be sent.
            UsageError: Nobody takes this destination, or a header cannot be set.
        """
        body, native = encoded(payload, headers)
        done, future = _settling(confirm)
        self.publish(destination, native, body, done)
        return future

    @overload
    def send_to_user(
        self,
        user: str,
        destination: str,
        payload: object,
        headers: Mapping[str, object] = ...,
        *,
        session: str | None = None,
        confirm: Literal[False] = False,
    ) -> None: ...

    @overload
    def send_to_user(
        self,
        user: str,
        destination: str,
        payload: object,
        headers: Mapping[str, object] = ...,
        *,
        session: str | None = None,
        confirm: Literal[True],
    ) -> asyncio.Future[None]: ...

    def send_to_user(
        self,
        user: str,
        destination: str,
        payload: object,
        headers: Mapping[str, object] = _NO_HEADERS,
        *,
        session: str | None = None,
        confirm: bool = False,
    ) -> asyncio.Future[None] | None:
        """Send to the sessions of a user, whichever instances they are on.

        Args:
            user: Name of the user, as it is; "" for an anonymous ``session``.
            destination: What the user subscribes to behind ``/user``: ``/queue/errors``.
            payload: What to send.
            headers: As with :meth:`send`.
            session: Id of the one session that is meant; None for all sessions of the user.
            confirm: Return what is to be awaited until the broker has it.

        Raises:
            BrokerUnavailable: Nothing was sent; from the awaiting if the broker did not take it.
            MessageConversionError: The payload cannot be sent.
            UsageError: The user or the destination cannot be used, or a header cannot be set.
        """
        if "%2F" in user or not (user or session):
            raise UsageError(f"{user!r} is no name of a user", hint="it is not empty and has no %2F")
        body, native = encoded(payload, headers)
        done, future = _settling(confirm)
        self.publish_to_user(user, destination, native, body, done, session=session)
        return future

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None = None
    ) -> None:
        """Send what is encoded already; otherwise as :meth:`send`."""
        prefixes = self._prefixes
        if destination.startswith(prefixes.user):
            split = split_user_destination(destination, prefixes)
            if split is None:
                raise UsageError(
                    f"{destination!r} names no destination of a user",
                    hint=f"write {prefixes.user}joe/queue/x",
                )
            self.publish_to_user(*split, headers, body, done)
            return
        if not is_broker_destination(destination, prefixes):
            hint = f"it must begin with {' or '.join((*prefixes.broker, prefixes.user))}"
            if application_path(destination, prefixes) is not None:
                hint = "handlers take messages of clients only; call the function"
            raise UsageError(f"nobody takes what is sent to {destination!r}", hint=hint)
        self._broker.publish(destination, headers, body, done)
        self._counters.to_broker += 1
        id = headers.get("ps-id")
        if id is not None:
            self._stages.set(id, Stage.TO_BROKER)

    def for_user(self, destination: str) -> str:
        """A destination that a user can be subscribed to, with its leading slash.

        Raises:
            UsageError: It is none.
        """
        prefixes = self._prefixes.broker
        if destination.startswith(prefixes):
            return destination
        if f"/{destination}".startswith(prefixes):
            return f"/{destination}"
        raise UsageError(
            f"a user cannot be subscribed to {destination!r}",
            hint=f"it must begin with {' or '.join(prefixes)}",
        )

    def publish_to_user(
        self,
        user: str,
        destination: str,
        headers: Mapping[str, str],
        body: bytes,
        done: Settled | None = None,
        *,
        session: str | None = None,
    ) -> None:
        """Send what is encoded already; otherwise as :meth:`send_to_user`."""
        destination = self.for_user(destination)
        if not self._in_step():
            raise BrokerUnavailable(
                "this instance stood still and is learning from its peers which users have come and gone",
                hint="send again in a moment",
            )
        name, one_session = (user, False) if session is None else (session, True)
        message = UserMessage(
            name, destination, headers, body, headers.get("ps-id"), Origin.HANDLER, one_session
        )
        self._strategy.send(message, done)


def encoded(payload: object, headers: Mapping[str, object]) -> tuple[bytes, dict[str, str]]:
    """Body and headers as they are sent."""
    native = {name: value if isinstance(value, str) else str(value) for name, value in headers.items()}
    if not _RESERVED.isdisjoint(native):
        names = ", ".join(sorted(_RESERVED.intersection(native)))
        raise UsageError(f"these headers cannot be set: {names}", hint="they are set on the way")
    for name, value in native.items():
        if not name or "\0" in name or "\0" in value:
            raise UsageError(f"the header {name!r} cannot be sent", hint="it is empty or contains NUL")
    body, native["content-type"] = encode_payload(payload, native.get("content-type"))
    return body, native


def _settling(confirm: bool) -> tuple[Settled | None, asyncio.Future[None] | None]:
    if not confirm:
        return None, None
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(error: BrokerUnavailable | None) -> None:
        if future.done():
            return  # whoever waited has given up
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    return done, future
