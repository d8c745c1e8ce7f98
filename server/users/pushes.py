"""Pushes: what the HTTP API takes, checked and handed to the strategy."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

import msgspec

from core.errors import BrokerUnavailable, LocalProtocolError, PushscopeError

from ..brokers.base import Broker, Settled
from ..messages.counters import Counters
from ..messages.stages import Stage, StageLog
from ..sessions.guard import Guard
from ..sessions.hub import Hub
from ..settings.instance import InstanceSettings
from .local_delivery import UserMessage
from .peers import PeerSync
from .strategies import Strategy
from .undeliverable import Origin, Reason, Undeliverable

_TEXT: Final = "text/plain;charset=UTF-8"
_JSON: Final = "application/json"
#: Headers that a push may not set, because the way to the client depends on them.
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
_LONGEST_ID: Final = 256
#: Which instance took a push and when, in milliseconds of Unix time; on pushes that bring no id.
SENT_HEADER: Final = "ps-sent"
_FIELD: Final = re.compile(r"`\$\.([^`.\[]+)|field `([^`]+)`")


class PushRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /push``.

    Attributes:
        destination: ``/topic/greetings``; for a user, what the user subscribes to behind ``/user``.
        payload: A string is sent as text, anything else as JSON.
        user: Whom to; left out: everybody on the destination.
        session: One session instead of a user, by its id, wherever it is.
        headers: Further headers for the receiver; ``ps-id`` is the push's id (without one the
            instance makes one, and adds ``ps-sent``), ``content-type`` replaces the default.
        confirm: Answer only when the broker has it.
    """

    destination: str
    payload: msgspec.Raw = msgspec.Raw(b'""')
    user: str | None = None
    session: str | None = None
    headers: dict[str, str] = {}
    confirm: bool = False


class PushAnswer(msgspec.Struct, frozen=True):
    """The body of 202: the push's id, who accepted it, how many sessions it was addressed to."""

    id: str
    instance: str
    sessions: int


class BadPush(PushscopeError):
    """A push that cannot be understood; ``field`` names what is wrong."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


_decoder: msgspec.json.Decoder[PushRequest] = msgspec.json.Decoder(PushRequest)
_text_decoder: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)


def decode_push(body: bytes) -> PushRequest:
    """Understand the body of ``POST /push``.

    Raises:
        BadPush: It is not JSON, or a field is missing, unknown or of the wrong type.
    """
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _FIELD.search(text)
        raise BadPush(text, (found.group(1) or found.group(2)) if found else "") from None
    except (ValueError, RecursionError) as error:
        raise BadPush(f"the body is not valid JSON: {error}") from None


class Pushes:
    """Accepts pushes on one instance."""

    def __init__(
        self,
        settings: InstanceSettings,
        strategy: Strategy,
        broker: Broker,
        hub: Hub,
        sync: PeerSync | None,
        counters: Counters,
        stages: StageLog,
        undeliverable: Undeliverable,
        clock: Callable[[], float],
        guard: Guard,
    ) -> None:
        self._guard = guard
        self._settings = settings
        self._strategy = strategy
        self._broker = broker
        self._hub = hub
        self._sync = sync
        self._counters = counters
        self._stages = stages
        self._undeliverable = undeliverable
        self._clock = clock
        # docs/wire/spring-relay.md §4.1: a first broker prefix without a slash stands for destinations
        # without one.
        self._slashes = not settings.prefixes.broker or settings.prefixes.broker[0].startswith("/")
        self._count = 0
        #: Whether the instance is about to stop: it takes no pushes any more.
        self.stopping = False

    def push(self, request: PushRequest, done: Settled | None = None) -> PushAnswer:
        """Hand a push on.

        Args:
            request: The push.
            done: Called when the broker has confirmed it, if that is asked for.

        Raises:
            BadPush: A field has a value that cannot be used.
            BrokerUnavailable: Refused; nothing was sent.
        """
        destination = request.destination
        if not destination.startswith("/") and self._slashes:
            destination = f"/{destination}"
        if not destination.startswith(self._settings.prefixes.broker):
            known = " or ".join(self._settings.prefixes.broker)
            raise BadPush(f"destination must begin with {known}, not {destination!r}", "destination")
        headers, body = self._message(request)
        user = request.user if request.session is None else _checked_session(request)
        if why := self._guard.refuse_push(destination, to_user=user is not None):
            raise BadPush(f"destination {destination[:300]!r} cannot be pushed to: {why}", "destination")
        if user is not None:
            user = _checked_user(user)
        id = headers["ps-id"]
        self._check_ready(user or "", destination, id)
        try:
            if user is None:
                sessions = self._to_all(destination, headers, body, done)
            else:
                only = request.session is not None
                message = UserMessage(user, destination, headers, body, id, Origin.PUSH, only)
                sessions = self._strategy.send(message, done)
        except LocalProtocolError as error:
            raise BadPush(str(error), "headers") from None
        except BrokerUnavailable:
            self._counters.refused += 1
            raise
        self._counters.pushes += 1
        return PushAnswer(id, self._settings.id, sessions)

    def test(self, username: str) -> PushAnswer:
        """The article's test: ``hello:<username>`` to ``/topic/greetings`` of the user.

        Raises:
            BadPush: The name cannot be used.
            BrokerUnavailable: Refused; nothing was sent.
        """
        return self.push(
            PushRequest("/topic/greetings", msgspec.Raw(msgspec.json.encode(f"hello:{username}")), username)
        )

    def _to_all(self, destination: str, headers: dict[str, str], body: bytes, done: Settled | None) -> int:
        self._broker.publish(destination, headers, body, done)
        self._counters.to_broker += 1
        self._stages.set(headers["ps-id"], Stage.TO_BROKER)
        topic = self._hub.topics.get(destination)
        return topic.size if topic is not None else 0

    def _check_ready(self, user: str, destination: str, id: str) -> None:
        if self.stopping:
            self._refuse(Reason.STOPPING, user, destination, id)
            raise BrokerUnavailable("this instance is about to stop", hint="push through another one")
        if not self._broker.available:
            self._refuse(Reason.BROKER_UNAVAILABLE, user, destination, id)
            raise BrokerUnavailable(
                f"the broker at {self._broker.url} is not available: {self._broker.reason}",
                hint="push again when it is back",
            )
        if self._sync is not None and not self._sync.in_step(self._clock()):
            self._refuse(Reason.NOT_IN_STEP, user, destination, id)
            raise BrokerUnavailable(
                "this instance stood still and is learning from its peers which users have come and gone",
                hint="push again in a moment",
            )

    def _refuse(self, reason: Reason, user: str, destination: str, id: str) -> None:
        self._counters.refused += 1
        stage = Stage.ACCEPTED  # it came here and no further
        self._undeliverable.note(Origin.PUSH, reason, stage, user=user, destination=destination, id=id)

    def _message(self, request: PushRequest) -> tuple[dict[str, str], bytes]:
        headers = request.headers
        if not _RESERVED.isdisjoint(headers):
            names = ", ".join(sorted(_RESERVED.intersection(headers)))
            raise BadPush(f"these headers cannot be set by a push: {names}", "headers")
        for name, value in headers.items():
            if not name or "\0" in name or "\0" in value:
                raise BadPush(f"header {name!r} cannot be sent: it is empty or contains NUL", "headers")
        id = headers.get("ps-id")
        if id is None:
            self._count += 1
            headers["ps-id"] = f"{self._settings.id}-{self._count}"
            # Whoever measures brings ids, and stamps of its own clock; for eyes this is enough.
            headers.setdefault(SENT_HEADER, f"{self._settings.id} {time.time_ns() / 1e6:.3f}")
        elif not id or len(id) > _LONGEST_ID:
            raise BadPush(f"ps-id must have 1 to {_LONGEST_ID} characters", "headers")
        raw = _checked_payload(request)
        if raw[:1] != b'"':
            headers.setdefault("content-type", _JSON)
            return headers, raw
        headers.setdefault("content-type", _TEXT)
        if b"\\" not in raw:
            return headers, raw[1:-1]  # JSON without escapes is the text itself
        return headers, _text_decoder.decode(raw).encode()


def _checked_payload(request: PushRequest) -> bytes:
    """The payload's JSON; the decoder has left it as it is, and its text must be UTF-8 (RFC 8259 §8.1)."""
    raw = bytes(request.payload)
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            raise BadPush(
                f"the payload is not UTF-8: {error.reason} at byte {error.start}", "payload"
            ) from None
    return raw


def _checked_session(request: PushRequest) -> str:
    if request.user is not None:
        raise BadPush("give a user or a session, not both", "session")
    if not request.session:
        raise BadPush("session must not be empty", "session")
    return request.session


def _checked_user(user: str) -> str:
    if not user:
        raise BadPush("user must not be empty; leave it out to push to everybody", "user")
    if "%2F" in user:
        raise BadPush("user must not contain %2F, which stands for a slash in destinations", "user")
    return user
