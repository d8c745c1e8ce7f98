"""``pushscope engine`` (hidden): the engine in a child of the window."""

from __future__ import annotations


def engine() -> int:
    """Run an engine; commands on standard input, events on standard output, one JSON value a line."""
    from core.engine.process import run_engine
    from server.supervisor import LocalCluster

    return run_engine(LocalCluster.from_spec)
