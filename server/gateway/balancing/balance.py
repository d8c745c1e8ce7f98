"""How the instances of services are chosen and checked, as settings."""

from __future__ import annotations

import re
from typing import get_args

import msgspec

from core.errors import UsageError

from ..heads import TOKEN
from .strategies import INSTANCE_COOKIE, STRATEGIES, StrategyName


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How instances are asked whether they are well: GET ``path``, and 200 is yes.

    Attributes:
        path: Path and query.
        interval: Seconds between two questions.
        timeout: Seconds for an answer.
        fall: Failures in a row after which an instance gets no new connections.
        rise: Successes in a row after which it does again.
    """

    path: str = "/health"
    interval: float = 5.0
    timeout: float = 2.0
    fall: int = 2
    rise: int = 1


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """How one service is balanced.

    Attributes:
        strategy: See :mod:`.strategies`.
        cookie: Name of the cookie with the instance's id, for ``sticky``.
        tell_instance: Whether the instance is sent that cookie too, with its own id
            (Spring's ``add-service-instance-cookie``).
        health: How its instances are checked; None: they are not.
    """

    strategy: StrategyName = "round-robin"
    cookie: str = INSTANCE_COOKIE
    tell_instance: bool = False
    health: HealthCheck | None = None


class Balancing(msgspec.Struct, frozen=True, kw_only=True):
    """How all services are balanced.

    Attributes:
        default: For services that ``services`` does not name.
        services: By name in upper case.
    """

    default: Balance = Balance()
    services: dict[str, Balance] = {}

    def of(self, service: str) -> Balance:
        """What holds for a service."""
        return self.services.get(service.upper(), self.default)


def check_balance(balance: Balance) -> None:
    """Refuse what makes no sense.

    Raises:
        UsageError: says what would.
    """
    if balance.strategy not in get_args(StrategyName):
        raise UsageError(
            f"balancing strategy {balance.strategy!r} is not known", hint=f"known: {', '.join(STRATEGIES)}"
        )
    if not TOKEN.fullmatch(balance.cookie):
        raise UsageError(f"{balance.cookie!r} is no name of a cookie", hint=f"such as {INSTANCE_COOKIE}")
    health = balance.health
    if health is None:
        return
    if not re.fullmatch(r"/[!-~]*", health.path):
        raise UsageError(f"health check path {health.path!r} is not a path", hint="such as /health")
    if not 0.1 <= health.interval <= 3600 or not 0.1 <= health.timeout <= 60:
        raise UsageError(
            f"health check every {health.interval:g} s within {health.timeout:g} s",
            hint="an interval of 0.1 to 3600 s, a timeout of 0.1 to 60 s",
        )
    if not 1 <= health.fall <= 100 or not 1 <= health.rise <= 100:
        raise UsageError(f"health check: fall {health.fall}, rise {health.rise}", hint="1 to 100 each")
