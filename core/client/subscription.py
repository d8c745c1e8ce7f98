"""What a client gets for a SUBSCRIBE: its messages, in order, as a bounded asynchronous iterator."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Literal, Protocol, Self

from ..protocol import Message

log = logging.getLogger("pushscope.client")

#: What happens to a message for which there is no room, see :class:`Subscription`.
WhenFull = Literal["drop-oldest", "drop-newest", "pause"]


class SubscriptionOwner(Protocol):
    """The client behind a subscription."""

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Give the subscription up."""
        ...

    def set_reading(self, subscription: Subscription, on: bool) -> None:
        """Have the whole connection stop or resume reading on behalf of this subscription."""
        ...


class Subscription:
    """Messages of one destination; made by ``subscribe()`` of a client.

    Iterate over it, or call :meth:`get`. Iteration ends after :meth:`unsubscribe` or when the client
    is closed; if the connection was lost it raises, after the messages that had arrived before.

    At most ``capacity`` messages wait. ``when_full`` says what happens to one more:

    - ``drop-oldest``: the message that waited longest is dropped;
    - ``drop-newest``: the new one is dropped;
    - ``pause``: none is dropped, the connection is no longer read until half of them are taken. All
      subscriptions and receipts of the client wait meanwhile, so never await a receipt in the loop
      that empties such a subscription.

    Attributes:
        id: Id in the connection.
        destination: What was subscribed to.
        ack: Acknowledge mode.
        headers: Further headers of SUBSCRIBE.
        dropped: How many messages were dropped for want of room.
        renewals: How often it was renewed in a new connection; what was sent in between is missing.
    """

    def __init__(
        self,
        id: str,
        destination: str,
        *,
        ack: str = "auto",
        headers: Mapping[str, str] | None = None,
        capacity: int = 1000,
        when_full: WhenFull = "drop-oldest",
        lasting: bool = False,
    ) -> None:
        self.id = id
        self.destination = destination
        self.ack = ack
        self.headers: dict[str, str] = dict(headers or {})
        self.dropped = 0
        self.renewals = 0
        self._capacity = capacity
        self._when_full: WhenFull = when_full
        self._waiting: deque[Message] = deque()
        self._lasting = lasting
        self._owner: SubscriptionOwner | None = None
        self._paused = False
        self._ended = False
        self._error: Exception | None = None
        self._wake = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        message = self._waiting.popleft()
        if self._paused and len(self._waiting) <= self._capacity // 2:
            self._pause(False)
        return message

    async def get(self, within: float | None = None) -> Message:
        """The next message.

        Args:
            within: Seconds to wait at most; None waits for ever.

        Raises:
            TimeoutError: None came in time.
            EOFError: The subscription has ended.
            PushscopeError: The connection was lost.
        """
        try:
            async with asyncio.timeout(within):
                return await anext(self)
        except StopAsyncIteration:
            raise EOFError(f"the subscription to {self.destination} has ended") from None

    @property
    def waiting(self) -> int:
        """How many messages have come and were not taken."""
        return len(self._waiting)

    @property
    def ended(self) -> bool:
        """Whether no more messages will come."""
        return self._ended

    async def unsubscribe(self) -> None:
        """Give it up; returns when the server has confirmed. What has come may still be taken."""
        if self._owner is not None and not self._ended:
            await self._owner.unsubscribe(self)

    # ---- for clients ------------------------------------------------------------------------

    def attach(self, owner: SubscriptionOwner) -> None:
        """This client delivers now."""
        self._owner = owner
        self._paused = False

    def offer(self, message: Message) -> None:
        """A message came."""
        if self._ended:
            return
        if len(self._waiting) >= self._capacity and not self._make_room():
            return
        self._waiting.append(message)
        self._wake.set()

    def lost(self, error: Exception) -> None:
        """The connection was lost: the end, unless it is made to outlast connections."""
        if not self._lasting:
            self.end(error)

    def end(self, error: Exception | None = None) -> None:
        """No more messages; ``error`` is raised to whoever iterates, after what has come."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._wake.set()

    def _make_room(self) -> bool:
        """Whether a message beyond the capacity may be kept."""
        if self._when_full == "pause":
            if not self._paused:
                self._pause(True)
            return True  # it was read already; what is kept beyond capacity is one chunk at most
        self.dropped += 1
        if self.dropped == 1:
            log.warning(
                "subscription to %s is full with %d messages: dropping (%s); it is counted",
                self.destination,
                self._capacity,
                self._when_full,
            )
        if self._when_full == "drop-newest":
            return False
        self._waiting.popleft()
        return True

    def _pause(self, on: bool) -> None:
        self._paused = on
        if self._owner is not None:
            self._owner.set_reading(self, not on)
