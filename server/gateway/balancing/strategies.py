"""In which order the instances of a service are tried for a new connection (docs/wire/gateway.md §7).

Sessions that an instance holds already are not a strategy's business: see :mod:`.affinity`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Literal, Protocol, get_args
from urllib.parse import quote, unquote

from ..heads import Header
from ..routing.request import RouteRequest
from .affinity import by_name
from .targets import Target

StrategyName = Literal["round-robin", "random", "weighted", "sticky", "hash"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)

#: Spring's name of the cookie with the id of the instance.
INSTANCE_COOKIE = "sc-lb-instance-id"


class Strategy(Protocol):
    """Orders the targets of one service; has a state per service at most."""

    def order(self, targets: tuple[Target, ...], request: RouteRequest) -> tuple[Target, ...]:
        """All of ``targets`` (two or more), the one to try first at the front."""
        ...


class RoundRobin:
    """Each in turn.

    The counters count requests, not instances, so a change of the list shifts the turn but never
    sends everybody to the same one. WebSockets have one of their own: before each SockJS asks
    ``/info`` once, which with two instances would send all WebSockets to the same one.
    """

    def __init__(self) -> None:
        self._turns = {True: -1, False: -1}

    def order(self, targets: tuple[Target, ...], request: RouteRequest) -> tuple[Target, ...]:
        """See :class:`Strategy`."""
        upgrade = _is_upgrade(request)
        self._turns[upgrade] += 1
        first = self._turns[upgrade] % len(targets)
        return targets[first:] + targets[:first]


class Random:
    """Any."""

    def __init__(self, choose: random.Random | None = None) -> None:
        self._random = choose or random.Random()

    def order(self, targets: tuple[Target, ...], request: RouteRequest) -> tuple[Target, ...]:
        """See :class:`Strategy`."""
        return tuple(self._random.sample(targets, len(targets)))


class Weighted:
    """Each as often as its weight says, and evenly mixed: 5, 1, 1 gives a a b a c a a (nginx's way).

    WebSockets are counted apart, as in :class:`RoundRobin`.
    """

    def __init__(self) -> None:
        self._credits: dict[bool, dict[str, int]] = {True: {}, False: {}}

    def order(self, targets: tuple[Target, ...], request: RouteRequest) -> tuple[Target, ...]:
        """See :class:`Strategy`."""
        upgrade = _is_upgrade(request)
        before = self._credits[upgrade]
        credit = {target.id: before.get(target.id, 0) + target.weight for target in targets}
        ordered = sorted(targets, key=lambda target: -credit[target.id])
        credit[ordered[0].id] -= sum(target.weight for target in targets)
        self._credits[upgrade] = credit
        return tuple(ordered)


class Hash:
    """By the segment of the path that names a SockJS session, WebSockets included; others in turn."""

    def __init__(self) -> None:
        self._others = RoundRobin()

    def order(self, targets: tuple[Target, ...], request: RouteRequest) -> tuple[Target, ...]:
        """See :class:`Strategy`."""
        rest, _, transport = request.path.removesuffix("/").rpartition("/")
        rest, _, session = rest.rpartition("/")
        if transport != "websocket" or not session or "/" not in rest:
            return self._others.order(targets, request)
        return by_name(session, targets)


class Sticky:
    """The instance that a cookie names; in turn for who has none, or one of an instance that is gone.

    Args:
        cookie: Name of the cookie. Spring reads it and leaves setting it to the service; we set it
            as well (:meth:`reminder`).
    """

    def __init__(self, cookie: str = INSTANCE_COOKIE) -> None:
        self._cookie = cookie.encode("latin-1")
        self._others = RoundRobin()

    def order(self, targets: tuple[Target, ...], request: RouteRequest) -> tuple[Target, ...]:
        """See :class:`Strategy`."""
        wanted = self.named(request)
        for index, target in enumerate(targets):
            if target.id == wanted:
                return (target, *targets[:index], *targets[index + 1 :])
        return self._others.order(targets, request)

    def reminder(self, request: RouteRequest, target: Target) -> tuple[Header, ...]:
        """The header of the answer by which the client comes back to ``target``, if it needs one."""
        if self.named(request) == target.id:
            return ()
        secure = b"; Secure" if request.secure else b""
        return ((b"set-cookie", self._pair(target) + b"; Path=/; HttpOnly; SameSite=Lax" + secure),)

    def tell(self, headers: list[Header], target: Target) -> list[Header]:
        """A request's ``headers`` with the id of the instance that gets it among its cookies."""
        cookies = [value for name, value in headers if name == b"cookie"]
        others = [item for item in headers if item[0] != b"cookie"]
        return [*others, (b"cookie", b"; ".join([*cookies, self._pair(target)]))]

    def named(self, request: RouteRequest) -> str:
        """The id that the cookie of ``request`` names, or ""."""
        prefix = self._cookie + b"="
        for name, value in request.headers:
            if name != b"cookie":
                continue
            for pair in value.split(b";"):
                if pair.strip().startswith(prefix):
                    return unquote(pair.strip()[len(prefix) :].strip(b'"').decode("latin-1"))
        return ""

    def _pair(self, target: Target) -> bytes:
        return self._cookie + b"=" + quote(target.id, safe=":!#$&'()*+./@~-_").encode("latin-1")


def _is_upgrade(request: RouteRequest) -> bool:
    return any(name == b"upgrade" for name, _ in request.headers)


def make_strategy(name: StrategyName, cookie: str) -> Strategy:
    """A strategy with no state yet, for one service."""
    makers: Mapping[StrategyName, Callable[[], Strategy]] = {
        "round-robin": RoundRobin,
        "random": Random,
        "weighted": Weighted,
        "sticky": lambda: Sticky(cookie),
        "hash": Hash,
    }
    return makers[name]()
