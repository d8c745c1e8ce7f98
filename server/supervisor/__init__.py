"""Starts, watches and ends the roles of a cluster."""

from .cluster import LocalCluster
from .plan import PreferredPorts

__all__ = ["LocalCluster", "PreferredPorts"]
