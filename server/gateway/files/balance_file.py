"""Balancing as files say it: Spring's ``spring.cloud.loadbalancer`` keys, and a table of our TOML.

Source: docs/wire/gateway.md §7. Spring's settings for one service stand under
``spring.cloud.loadbalancer.clients.<service>``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from core.errors import UsageError
from core.toml_file import in_words

from ..balancing.balance import Balance, Balancing, HealthCheck, check_balance
from ..balancing.strategies import STRATEGIES, StrategyName
from ..routing.arguments import duration, truth

PREFIX = "spring.cloud.loadbalancer."
_CLIENTS = "clients."

#: Spring's names of configurations that mean something here. Its zones and subsets do not.
_CONFIGURATIONS: Mapping[str, StrategyName] = {
    "default": "round-robin",
    "weighted": "weighted",
    "request-based-sticky-session": "sticky",
}
_HEALTH = "health-check"
#: Spring's own: an instance is alive or not by each answer alone.
_SPRING_HEALTH = HealthCheck(path="/actuator/health", interval=25.0, timeout=25.0, fall=1, rise=1)


class SpringBalance:
    """Collects the ``spring.cloud.loadbalancer`` keys of a file."""

    def __init__(self) -> None:
        self._services: dict[str, dict[str, str]] = {}
        self._general: dict[str, str] = {}
        self._paths: dict[str, str] = {}

    def take(self, key: str, value: str) -> bool:
        """Take a key in; False if it means nothing here.

        Args:
            key: Behind :data:`PREFIX`.
            value: As written.

        Raises:
            UsageError: the value makes no sense.
        """
        found = self._general
        if key.startswith(_CLIENTS):
            service, _, key = key.removeprefix(_CLIENTS).partition(".")
            found = self._services.setdefault(service.upper(), {})
        where, dot, name = key.partition("health-check.path.")
        if dot and not where:
            if name == "default":
                found["path"] = value
            else:
                self._paths[name.upper()] = value
            return True
        if key not in _KEYS:
            return False
        try:
            _KEYS[key](Balance(), value)  # to find mistakes where they stand
        except ValueError as error:
            raise UsageError(str(error)) from error
        found[key] = value
        return True

    def result(self) -> Balancing:
        """What the keys come to."""
        default = _balance(Balance(), self._general)
        names = dict.fromkeys([*self._services, *(self._paths if default.health is not None else ())])
        services: dict[str, Balance] = {}
        for name in names:
            own = self._services.get(name, {})
            path = {"path": self._paths[name]} if name in self._paths else {}
            services[name] = _balance(default, {**path, **own})
        return Balancing(default=default, services=services)


def _balance(base: Balance, said: Mapping[str, str]) -> Balance:
    # The configuration first: it decides whether there are health checks to be told more.
    for key in sorted(said, key=lambda key: key != "configurations"):
        if key in _KEYS:
            base = _KEYS[key](base, said[key])
    if "path" in said and base.health is not None:
        base = msgspec.structs.replace(base, health=msgspec.structs.replace(base.health, path=said["path"]))
    check_balance(base)
    return base


def _configuration(balance: Balance, value: str) -> Balance:
    if value == _HEALTH:
        return msgspec.structs.replace(balance, strategy="round-robin", health=_SPRING_HEALTH)
    strategy = _CONFIGURATIONS.get(value)
    if strategy is None:
        known = ", ".join((*_CONFIGURATIONS, _HEALTH))
        raise UsageError(f"load balancer configuration {value!r} is not known here", hint=f"known: {known}")
    return msgspec.structs.replace(balance, strategy=strategy, health=None)


def _cookie_name(balance: Balance, value: str) -> Balance:
    return msgspec.structs.replace(balance, cookie=value)


def _tell_instance(balance: Balance, value: str) -> Balance:
    return msgspec.structs.replace(balance, tell_instance=truth(value, "add-service-instance-cookie"))


def _interval(balance: Balance, value: str) -> Balance:
    seconds = duration(value, "interval")
    health = balance.health or _SPRING_HEALTH
    checked = msgspec.structs.replace(health, interval=seconds, timeout=min(seconds, 60.0))
    check_balance(Balance(health=checked))
    return balance if balance.health is None else msgspec.structs.replace(balance, health=checked)


_KEYS: Mapping[str, Callable[[Balance, str], Balance]] = {
    "configurations": _configuration,
    "sticky-session.instance-id-cookie-name": _cookie_name,
    "sticky-session.add-service-instance-cookie": _tell_instance,
    "health-check.interval": _interval,
}


class _TomlBalance(msgspec.Struct, forbid_unknown_fields=True):
    strategy: str | None = None
    cookie: str | None = None
    tell_instance: bool | None = None
    health: HealthCheck | None = None


class _TomlBalancing(_TomlBalance, forbid_unknown_fields=True):
    services: dict[str, _TomlBalance] = {}


def read_toml_balance(table: object) -> Balancing:
    """Read the table ``[balance]``: strategy, cookie, tell_instance, health, and services by name.

    Raises:
        UsageError: something in it is not known or makes no sense.
    """
    try:
        said = msgspec.convert(table, _TomlBalancing)
    except msgspec.ValidationError as error:
        of_health = "`$.health" in str(error)
        known = (HealthCheck if of_health else _TomlBalancing).__struct_fields__
        raise UsageError(f"balance: {in_words(error)}", hint=f"known: {', '.join(known)}") from error
    default = _overlaid(Balance(), said)
    services = {name.upper(): _overlaid(default, own) for name, own in said.services.items()}
    return Balancing(default=default, services=services)


def _overlaid(base: Balance, said: _TomlBalance) -> Balance:
    given: dict[str, Any] = {
        name: value
        for name in ("strategy", "cookie", "tell_instance", "health")
        if (value := getattr(said, name)) is not None
    }
    balance = msgspec.structs.replace(base, **given)
    check_balance(balance)
    return balance


def with_strategies(balancing: Balancing, words: str) -> Balancing:
    """Further wishes of a command line: ``weighted``, or ``service=weighted``; spaces between several.

    Raises:
        UsageError: names the strategies that there are.
    """
    default, services = balancing.default, dict(balancing.services)
    for word in words.split():
        service, equals, name = word.rpartition("=")
        if name not in STRATEGIES:
            raise UsageError(
                f"balancing strategy {name!r} is not known", hint=f"known: {', '.join(STRATEGIES)}"
            )
        if equals:
            base = balancing.of(service)
            services[service.upper()] = msgspec.structs.replace(base, strategy=name)
        else:
            default = msgspec.structs.replace(default, strategy=name)
    return Balancing(default=default, services=services)
