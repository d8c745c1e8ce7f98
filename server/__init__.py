"""The multi-instance relay: gateway, discovery, instances, brokers, and their supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .supervisor import LocalCluster as LocalCluster

__all__ = ["LocalCluster"]


def __getattr__(name: str) -> object:
    # Loaded when it is asked for: a process that runs one role imports no supervisor.
    if name == "LocalCluster":
        from .supervisor import LocalCluster

        return LocalCluster
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
