"""Users on their way from an instance that stops in order to another one.

Such an instance says so before it closes its connections (:class:`.peer_messages.Delta`). From then
on every other instance holds back what is pushed through it to those users, and sends it, in order,
when a user has subscribed somewhere else. What was sent before is on its way to the old connection
and is written to it before it is closed: nothing is lost and nothing overtaken.

Bounded in time, number and size. An instance that dies says nothing, and nothing is held for it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from core.errors import BrokerUnavailable, PushscopeError
from core.protocol import subscribe_form

from ..brokers.base import Settled
from ..messages.stages import Stage
from ..sessions.session import Session
from ..settings.instance import InstanceSettings
from .local_delivery import UserMessage
from .registry import Place, UserRegistry
from .told import told_subscriptions
from .undeliverable import Reason, Undeliverable

logger = logging.getLogger("pushscope.server.peers")

#: How long a user may take to come back: clients wait five seconds, and then connect.
HOLD_S: Final = 10.0
#: How often we look who has come.
LOOK_S: Final = 0.025
MOST_MESSAGES: Final = 20_000
MOST_BYTES: Final = 16 * 1024 * 1024

Send = Callable[[UserMessage, Settled | None], int]


class _Waiting(msgspec.Struct, frozen=True):
    """A message that waits, and whom to tell; its size is that of headers and body."""

    message: UserMessage
    done: Settled | None
    size: int


class _Held:
    """What waits for one user."""

    __slots__ = ("until", "waiting")

    def __init__(self, until: float) -> None:
        self.until = until
        self.waiting: deque[_Waiting] = deque()


class Handover:
    """Holds messages for users who are moving.

    Args:
        settings: How destinations are written.
        registry: Says where users are.
        undeliverable: Is told of what was held in vain.
        later: ``later(seconds, callback)``, the loop's ``call_later``.
        clock: The loop's clock.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        registry: UserRegistry,
        undeliverable: Undeliverable,
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._undeliverable = undeliverable
        self._later = later
        self._clock = clock
        #: Who is moving; empty most of the time, which is all that a push then asks.
        self.moving: dict[str, _Held] = {}
        self._count = 0
        self._bytes = 0
        self._send: Send | None = None
        self._looking = False

    @property
    def held(self) -> int:
        """How many messages are held."""
        return self._count

    def begin(self, users: Iterable[str], send: Send) -> None:
        """These users' instance stops; ``send`` takes what was held for a user who has come."""
        self._send = send
        until = self._clock() + HOLD_S
        for user in users:
            if user:
                self.moving.setdefault(user, _Held(until)).until = until
        if self.moving and not self._looking:
            self._looking = True
            self._later(LOOK_S, self._look)

    def hold(self, message: UserMessage, done: Settled | None) -> bool:
        """Whether ``message`` was kept back; False: its user is not moving, send it now."""
        held = self.moving.get(message.user)
        if held is None or message.one_session:
            return False
        if _wanted(message, self._settings) in self._subscribed(message.user):
            self._release(message.user, held)  # what was held goes first
            return False
        size = len(message.body) + sum(len(name) + len(value) for name, value in message.headers.items())
        if self._count >= MOST_MESSAGES or self._bytes + size > MOST_BYTES:
            self._give_up(message, done)
            return True
        held.waiting.append(_Waiting(message, done, size))
        self._count += 1
        self._bytes += size
        return True

    def end(self) -> None:
        """Hold nothing any more: we stop ourselves."""
        for user, held in list(self.moving.items()):
            self._end(user, held)

    def _look(self) -> None:
        now = self._clock()
        for user, held in list(self.moving.items()):
            if held.waiting:
                self._release(user, held)
            if held.until <= now:
                self._end(user, held)
        self._looking = bool(self.moving)
        if self._looking:
            self._later(LOOK_S, self._look)

    def _release(self, user: str, held: _Held) -> None:
        """Send what the user, where it is now, has subscribed to."""
        subscribed = self._subscribed(user)
        if not subscribed:  # nearly always, and there may be much that waits
            return
        waiting, held.waiting = held.waiting, deque()
        for each in waiting:
            if _wanted(each.message, self._settings) in subscribed:
                self._let_go(each)
            else:
                held.waiting.append(each)

    def _end(self, user: str, held: _Held) -> None:
        """Time is up. Who has come gets what is left like anything else: peers do not tell all that
        somebody with many subscriptions has subscribed to."""
        del self.moving[user]
        come = bool(staying(self._registry.places(user)))
        for each in held.waiting:
            if come:
                self._let_go(each)
            else:
                self._forget(each)
                self._give_up(each.message, each.done)

    def _let_go(self, each: _Waiting) -> None:
        assert self._send is not None
        self._forget(each)
        try:
            self._send(each.message, each.done)
        except PushscopeError as error:
            # Who sends has noted a broker that is away; a header that the broker would not take
            # could not be told to whoever has been answered.
            logger.warning("what was held for %r is not sent: %s", each.message.user, error)
            if each.done is not None:
                each.done(error if isinstance(error, BrokerUnavailable) else BrokerUnavailable(str(error)))

    def _forget(self, each: _Waiting) -> None:
        self._count -= 1
        self._bytes -= each.size

    def _give_up(self, message: UserMessage, done: Settled | None) -> None:
        self._undeliverable.note(
            message.origin,
            Reason.NO_SESSION,
            Stage.NO_SESSION,
            user=message.user,
            destination=message.destination,
            id=message.id,
        )
        if done is not None:
            done(BrokerUnavailable(f"user {message.user!r} was moving to another instance and did not come"))

    def _subscribed(self, user: str) -> set[str]:
        """What a user has subscribed to, as far as is known, where it is to stay."""
        return {
            destination
            for session_id, place in staying(self._registry.places(user)).items()
            for _, destination in _subscriptions(session_id, place)
        }


def _wanted(message: UserMessage, settings: InstanceSettings) -> str:
    """What a user subscribes to who wants such a message."""
    return subscribe_form(message.destination, settings.prefixes)


def staying(places: Mapping[str, Place]) -> Mapping[str, Place]:
    """Those of a user's places that are not about to go."""
    if any(not isinstance(place, Session) and place.leaving for place in places.values()):
        return {id: place for id, place in places.items() if isinstance(place, Session) or not place.leaving}
    return places


def _subscriptions(session_id: str, place: Place) -> Iterable[tuple[str, str]]:
    if isinstance(place, Session):
        return told_subscriptions(place)
    return place.subscriptions.get(session_id, ())
