"""The multi-instance relay: gateway, discovery, instances, brokers, and their supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .access.tokens.logs import HideTokens as HideTokens
    from .instance import Instance as Instance
    from .mounted import MountedInstance as MountedInstance
    from .settings.instance import InstanceSettings as InstanceSettings
    from .settings.tokens import TokenSettings as TokenSettings
    from .supervisor import LocalCluster as LocalCluster

__all__ = ["HideTokens", "Instance", "InstanceSettings", "LocalCluster", "MountedInstance", "TokenSettings"]


def __getattr__(name: str) -> object:
    # Loaded when it is asked for: a process that runs one role imports no supervisor.
    match name:
        case "HideTokens":
            from .access.tokens.logs import HideTokens

            return HideTokens
        case "Instance":
            from .instance import Instance

            return Instance
        case "InstanceSettings":
            from .settings.instance import InstanceSettings

            return InstanceSettings
        case "LocalCluster":
            from .supervisor import LocalCluster

            return LocalCluster
        case "MountedInstance":
            from .mounted import MountedInstance

            return MountedInstance
        case "TokenSettings":
            from .settings.tokens import TokenSettings

            return TokenSettings
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
