"""The addresses behind a service: who is there, and who may get new connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ...discovery.registry import Registered

#: Metadata that says how much more than others an instance takes (docs/wire/gateway.md §7).
WEIGHT = "weight"
_MOST_WEIGHT = 10_000


class Directory(Protocol):
    """Where the balancer asks who is there."""

    def everybody(self, service: str) -> tuple[Registered, ...]:
        """The instances of a service, whatever their status, always in the same order."""
        ...


class StaticDirectory:
    """Services at fixed addresses, for a gateway without discovery."""

    def __init__(self, services: Mapping[str, tuple[str, ...]]) -> None:
        self._services = {
            name.upper(): tuple(_registered(name, address) for address in addresses)
            for name, addresses in services.items()
        }

    def everybody(self, service: str) -> tuple[Registered, ...]:
        """The instances of a service; empty for an unknown one."""
        return self._services.get(service.upper(), ())


@dataclass(frozen=True, slots=True)
class Target:
    """One address to try."""

    id: str
    host: str
    port: int
    secure: bool = False
    weight: int = 1

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def target_of(item: Registered) -> Target:
    """The address of an instance."""
    metadata = item.metadata
    secure = item.secure or metadata.get("secure") == "true"
    return Target(item.id, item.host, item.port, secure, _weight(metadata))


def _weight(metadata: Mapping[str, str]) -> int:
    # What is no positive number counts as 1, as with Spring.
    text = metadata.get(WEIGHT, "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(_MOST_WEIGHT)) + 1 else 1
    return min(max(number, 1), _MOST_WEIGHT)


def _registered(service: str, address: str) -> Registered:
    host, _, port = address.rpartition(":")
    return Registered(address, service, host.strip("[]"), int(port))
