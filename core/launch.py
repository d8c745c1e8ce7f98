"""How to start ourselves as a child: the one place that knows.

Works from a checkout, from the wheel and from a frozen program.
"""

from __future__ import annotations

import sys
from pathlib import Path


def self_command(*arguments: str) -> list[str]:
    """The command line that runs ``pushscope`` with these arguments in a new process."""
    if getattr(sys, "frozen", False):
        return [sys.executable, *arguments]
    root = Path(__file__).resolve().parent.parent
    program = root / "main.py"
    if not program.exists():  # the wheel: main.py is pushscope/__main__.py
        program = root / "__main__.py"
    return [sys.executable, str(program), *arguments]
