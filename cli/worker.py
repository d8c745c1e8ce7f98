"""``pushscope worker`` (hidden): simulated users and pushes in a child of the engine."""

from __future__ import annotations


def worker() -> int:
    """Hold simulated users and push to them; orders on standard input, reports on standard output."""
    from core.load.worker_process import run_worker

    return run_worker()
