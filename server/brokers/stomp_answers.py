"""What was asked of the broker on one STOMP connection, and which answer belongs to it.

RECEIPTs name what they answer; RabbitMQ's ERRORs do not (docs/wire/brokers.md §5). An ERROR belongs to what
its words name. If they name nothing, a *fence* tells: a frame that is always confirmed is sent after the
ERROR. Brokers take the frames of a connection in order, so when the fence is confirmed, a SUBSCRIBE that went
out before and is not confirmed was refused. Until then no confirmation of a SUBSCRIBE counts: RabbitMQ
confirms one that made it close the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from core.errors import BrokerRefused, BrokerUnavailable
from core.protocol import ErrorReceived

from .base import Settled
from .refusals import is_about

#: RabbitMQ confirms a SEND when it is stored, maybe after frames that came later.
_CONFIRMED_LATER_S: Final = 2.0


class _Doubt:
    """An ERROR whose fence is not confirmed yet: what it may be about."""

    __slots__ = ("claimed", "error", "publishing", "subscribing")

    def __init__(
        self, error: BrokerRefused, subscribing: list[str], publishing: list[str], *, claimed: bool
    ) -> None:
        self.error = error
        self.subscribing = subscribing
        self.publishing = publishing
        self.claimed = claimed


class Ended(NamedTuple):
    """What the end of a connection left open.

    ``subscribing``: subscriptions that were not confirmed, in order. ``error``: the ERROR that ended
    the connection, None if it had another reason.
    """

    subscribing: list[str]
    error: BrokerRefused | None


class Answers:
    """One connection's unanswered frames.

    Args:
        confirmed: Called with the id of a subscription that is in place.
        refused: Called with the id of one that is not, and why.
        fence: ``fence(receipt)`` sends a frame that is always confirmed with this receipt.
    """

    def __init__(
        self,
        confirmed: Callable[[str], None],
        refused: Callable[[str, BrokerRefused], None],
        fence: Callable[[str], None],
    ) -> None:
        #: How many answers came; it stands still when the broker hangs.
        self.count = 0
        self._confirmed = confirmed
        self._refused = refused
        self._fence = fence
        self._subscribing: dict[str, str] = {}
        self._publishing: dict[str, tuple[str, Settled]] = {}
        self._doubts: dict[str, _Doubt] = {}
        self._held_back: list[str] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._number = 0

    @property
    def waiting(self) -> bool:
        """Whether the broker owes an answer."""
        return bool(self._subscribing or self._publishing or self._doubts)

    @property
    def trouble(self) -> BrokerRefused | None:
        """The last ERROR, as long as it is not known whether the connection outlives it."""
        last = next(reversed(self._doubts.values()), None)
        return last.error if last is not None else None

    def subscribe(self, id: str, destination: str) -> str:
        """Note a SUBSCRIBE; the receipt that it is to ask for."""
        self._subscribing[id] = destination
        return f"s{id}"

    def forget(self, id: str) -> None:
        """A subscription is not wanted any more."""
        self._subscribing.pop(id, None)
        if id in self._held_back:
            self._held_back.remove(id)

    def publish(self, destination: str, done: Settled) -> str:
        """Note a SEND; the receipt that it is to ask for."""
        self._number += 1
        receipt = f"p{self._number}"
        self._publishing[receipt] = (destination, done)
        return receipt

    def receipt(self, receipt: str) -> None:
        """The broker confirmed something."""
        self.count += 1
        if (publishing := self._publishing.pop(receipt, None)) is not None:
            publishing[1](None)
        elif receipt in self._doubts:
            self._decide(self._doubts.pop(receipt))
        elif self._subscribing.pop(receipt[1:], None) is not None:
            if any(not doubt.claimed for doubt in self._doubts.values()):
                self._held_back.append(receipt[1:])
            else:
                self._confirmed(receipt[1:])

    def error(self, event: ErrorReceived) -> BrokerRefused:
        """The broker refused something; returns what it said."""
        self.count += 1
        detail = event.body.decode("utf-8", "replace").strip()
        text = f"{event.message}: {detail}" if detail else event.message
        error = BrokerRefused(text[:2000], title=event.message[:200])
        claimed = self._claim(event.receipt_id or "", detail, error)
        self._number += 1
        fence = f"f{self._number}"
        self._doubts[fence] = _Doubt(error, list(self._subscribing), list(self._publishing), claimed=claimed)
        self._fence(fence)
        return error

    def end(self, error: BrokerUnavailable) -> Ended:
        """The connection has ended; everything that was published and not confirmed has failed."""
        for timer in self._timers:
            timer.cancel()
        publishing, self._publishing = self._publishing, {}
        for _, done in publishing.values():
            done(error)
        return Ended([*self._held_back, *self._subscribing], self.trouble)

    # ----------------------------------------------------------------------------------------

    def _claim(self, receipt: str, detail: str, error: BrokerRefused) -> bool:
        """Find what an ERROR belongs to by its receipt, or by its words, the oldest first."""
        id = receipt[1:] if receipt in (f"s{each}" for each in self._subscribing) else None
        if id is None and receipt not in self._publishing:
            id = next((id for id, where in self._subscribing.items() if is_about(detail, where)), None)
        if id is not None:
            del self._subscribing[id]
            self._refused(id, error)
            return True
        if receipt not in self._publishing:
            about = (each for each, (where, _) in self._publishing.items() if is_about(detail, where))
            receipt = next(about, "")
        if receipt:
            self._publishing.pop(receipt)[1](error)
        return bool(receipt)

    def _decide(self, doubt: _Doubt) -> None:
        """The connection outlived an ERROR: what is still open from before it was refused by it."""
        if not doubt.claimed:
            for id in doubt.subscribing:
                if self._subscribing.pop(id, None) is not None:
                    self._refused(id, doubt.error)
            if any(receipt in self._publishing for receipt in doubt.publishing):
                loop = asyncio.get_running_loop()
                self._timers = {timer for timer in self._timers if timer.when() > loop.time()}
                self._timers.add(loop.call_later(_CONFIRMED_LATER_S, self._give_up, doubt))
        if not any(not each.claimed for each in self._doubts.values()):
            held_back, self._held_back = self._held_back, []
            for id in held_back:
                self._confirmed(id)

    def _give_up(self, doubt: _Doubt) -> None:
        for receipt in doubt.publishing:
            if (publishing := self._publishing.pop(receipt, None)) is not None:
                publishing[1](doubt.error)
