"""Discovery: who is there. A registry with Eureka's REST paths and a push of every change."""

from .app import Discovery, DiscoverySettings, create_app
from .client import DiscoveryClient, Registration
from .registry import Registered, Registry, Snapshot

__all__ = [
    "Discovery",
    "DiscoveryClient",
    "DiscoverySettings",
    "Registered",
    "Registration",
    "Registry",
    "Snapshot",
    "create_app",
]
