"""Which instance takes a request: candidates in the order in which to try them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..discovery.registry import Registered
from .routes import Upstream


class Directory(Protocol):
    """Where the balancer asks who is there; DiscoveryClient is one."""

    def instances(self, service: str) -> tuple[Registered, ...]:
        """The instances of a service that may get new connections, always in the same order."""
        ...


class StaticDirectory:
    """Services at fixed addresses, for a gateway without discovery."""

    def __init__(self, services: Mapping[str, tuple[str, ...]]) -> None:
        self._services = {
            name.upper(): tuple(_registered(name, address) for address in addresses)
            for name, addresses in services.items()
        }

    def instances(self, service: str) -> tuple[Registered, ...]:
        """The instances of a service; empty for an unknown one."""
        return self._services.get(service.upper(), ())


@dataclass(frozen=True, slots=True)
class Target:
    """One address to try."""

    id: str
    host: str
    port: int
    secure: bool = False

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


class RoundRobin:
    """Each service's instances in turn.

    The counter counts requests, not instances, so a change of the list shifts the turn but never
    sends everybody to the same one.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._counters: dict[str, int] = {}

    def candidates(self, upstream: Upstream) -> tuple[Target, ...]:
        """All addresses of ``upstream``, the one whose turn it is first; empty if there is none."""
        targets = self.everybody(upstream)
        if len(targets) < 2:
            return targets
        turn = self._counters.get(upstream.service, -1) + 1
        self._counters[upstream.service] = turn
        first = turn % len(targets)
        return targets[first:] + targets[:first]

    def everybody(self, upstream: Upstream) -> tuple[Target, ...]:
        """All addresses of ``upstream`` in the registry's order; nobody's turn is used up."""
        if not upstream.service:
            return (Target("", upstream.host, upstream.port, upstream.secure),)
        return tuple(_target(item) for item in self._directory.instances(upstream.service))


def _target(item: Registered) -> Target:
    return Target(item.id, item.host, item.port, item.metadata.get("secure") == "true")


def _registered(service: str, address: str) -> Registered:
    host, _, port = address.rpartition(":")
    return Registered(address, service, host.strip("[]"), int(port))
