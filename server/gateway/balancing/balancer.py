"""Which instance takes a request: candidates in the order in which to try them.

Whoever has a session keeps its requests, also while it is drained (:mod:`.affinity`); everything
else is new and goes where the service's strategy says, among those that may get new connections.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ...discovery.registry import Registered
from ..heads import Header
from ..routing.request import RouteRequest
from ..routing.routes import Upstream
from .affinity import Holders, by_name, session_of
from .balance import Balance, Balancing, check_balance
from .strategies import Sticky, Strategy, make_strategy
from .targets import Directory, Target, target_of

#: ``ill`` is said by health checks, ``doubted`` is who could not be reached a moment ago, and
#: the others are what the registry says (``waiting``: it is starting, or nothing is known of it).
State = Literal["up", "doubted", "ill", "draining", "waiting", "down"]

#: Statuses of the registry. In any but the first an instance still answers for what it has.
_DEAD = "DOWN"
_SERVING = "UP"
_DRAINING = "OUT_OF_SERVICE"
_DOUBT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Pool:
    """The instances of one service, as the registry and the checks say now."""

    serving: tuple[Target, ...]
    by_id: dict[str, Target]
    states: tuple[tuple[Target, State], ...]


class Balancer:
    """Chooses instances for the requests of one gateway.

    Args:
        directory: Who is there.
        balancing: How to choose.
        clock: Seconds.

    Raises:
        UsageError: ``balancing`` makes no sense.
    """

    def __init__(
        self,
        directory: Directory,
        balancing: Balancing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.balancing = balancing or Balancing()
        for balance in (self.balancing.default, *self.balancing.services.values()):
            check_balance(balance)
        self._directory = directory
        self._clock = clock
        self._pools: dict[str, _Pool] = {}
        self._strategies: dict[str, Strategy] = {}
        self._doubts: dict[Target, float] = {}
        self._ill: set[Target] = set()
        #: Which instance holds which SockJS session.
        self.holders = Holders(clock=clock)

    # Choosing

    def candidates(self, upstream: Upstream, request: RouteRequest) -> tuple[Target, ...]:
        """All addresses that may answer ``request``, the first to try first; empty if there is none."""
        service = upstream.service
        if not service:
            return (_fixed(upstream),)
        pool = self._pools.get(service) or self._pool(service)
        session = session_of(request.path)
        if not session:
            targets = pool.serving
            if len(targets) > 1:
                targets = self._strategy(service).order(targets, request)
        else:
            holder = pool.by_id.get(self.holders.find(service, session) or "")
            if holder is not None:
                # Never behind others, whatever is thought of it: nobody else knows the session.
                return (holder, *(target for target in pool.serving if target is not holder))
            targets = self._for_unknown(service, pool, session, request)
        return self._doubted_last(targets) if self._doubts else targets

    def _for_unknown(
        self, service: str, pool: _Pool, session: str, request: RouteRequest
    ) -> tuple[Target, ...]:
        strategy = self._strategy(service)
        ordered = by_name(session, pool.serving)
        if isinstance(strategy, Sticky) and strategy.named(request) in pool.by_id:
            return strategy.order(ordered, request)
        return ordered

    def _doubted_last(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        now = self._clock()
        for target, until in list(self._doubts.items()):
            if until <= now:
                del self._doubts[target]
        return tuple(sorted(targets, key=self._doubts.__contains__))

    # What became of it

    def reached(self, upstream: Upstream, request: RouteRequest, target: Target) -> tuple[Header, ...]:
        """``target`` answers ``request``. Returns what its answer must have in its head besides."""
        service = upstream.service
        if not service:
            return ()
        if self._doubts:
            self._doubts.pop(target, None)
        session = session_of(request.path)
        if session:
            self.holders.learn(service, session, target.id)
        strategy = self._strategy(service)
        return strategy.reminder(request, target) if isinstance(strategy, Sticky) else ()

    def unreachable(self, target: Target) -> None:
        """``target`` could not be dialled: for a moment it is tried behind the others."""
        if target.id:
            self._doubts[target] = self._clock() + _DOUBT_S

    def request_headers(self, upstream: Upstream, target: Target, headers: list[Header]) -> list[Header]:
        """``headers`` as ``target`` is to get them: with its own id as a cookie, where that is wished."""
        if not upstream.service or not self.balancing.of(upstream.service).tell_instance:
            return headers
        strategy = self._strategy(upstream.service)
        return strategy.tell(headers, target) if isinstance(strategy, Sticky) else headers

    # What is known

    def registry_changed(self) -> None:
        """The directory has changed."""
        self._pools.clear()

    def mark(self, target: Target, *, ill: bool) -> None:
        """What a health check found."""
        if ill:
            self._ill.add(target)
        else:
            self._ill.discard(target)
        self._pools.clear()

    def knows(self, upstream: Upstream, target: Target) -> bool:
        """Whether ``target`` is still there, drained or not."""
        if not upstream.service:
            return True
        now = self._pool(upstream.service).by_id.get(target.id)
        return now is not None and now.authority == target.authority

    def why_nobody(self, upstream: Upstream) -> str:
        """In words, why there is no candidate."""
        service = upstream.service
        there = ", ".join(f"{target.id} is {state}" for target, state in self.states(upstream))
        if not there:
            return f"no instance of service {service!r} is registered"
        return f"no instance of service {service!r} takes anything new: {there}"

    def states(self, upstream: Upstream) -> Iterator[tuple[Target, State]]:
        """All addresses of ``upstream`` and how they are; nobody's turn is used up."""
        if not upstream.service:
            yield _fixed(upstream), "up"
            return
        now = self._clock()
        for target, state in self._pool(upstream.service).states:
            doubted = state == "up" and self._doubts.get(target, 0.0) > now
            yield target, "doubted" if doubted else state

    def _pool(self, service: str) -> _Pool:
        pool = self._pools.get(service)
        if pool is None:
            states = tuple(self._judged(item) for item in self._directory.everybody(service))
            pool = self._pools[service] = _Pool(
                tuple(target for target, state in states if state == "up"),
                {target.id: target for target, state in states if state != "down"},
                states,
            )
        return pool

    def _judged(self, item: Registered) -> tuple[Target, State]:
        target = target_of(item)
        if item.status == _DEAD:
            return target, "down"
        if item.status != _SERVING:
            return target, "draining" if item.status == _DRAINING else "waiting"
        return target, "ill" if target in self._ill else "up"

    def _strategy(self, service: str) -> Strategy:
        strategy = self._strategies.get(service)
        if strategy is None:
            balance: Balance = self.balancing.of(service)
            strategy = self._strategies[service] = make_strategy(balance.strategy, balance.cookie)
        return strategy


def _fixed(upstream: Upstream) -> Target:
    return Target("", upstream.host, upstream.port, upstream.secure)
