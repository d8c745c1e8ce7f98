"""An environment as a server has it: our base dependencies, no Qt. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .environment import (
    CACHE,
    ROOT,
    dependencies,
    ensure_venv,
    pip,
    python_of,
    run,
    say,
    side_by_side,
    stamp_of,
)

#: Holds the base dependencies and nothing else, so that a missing one is noticed; the wheel's test
#: installs the wheel here.
BASE_VENV = CACHE / "base-venv"
#: Test tools lie beside it and join by PYTHONPATH.
TOOLS = CACHE / "test-tools"


def ensure_base_environment() -> Path:
    """Make the environment and return its interpreter."""
    ensure_venv(BASE_VENV, dependencies(), stamp_of([ROOT / "pyproject.toml"]))
    return python_of(BASE_VENV)


def test_without_qt(arguments: Sequence[str]) -> int:
    """Run the tests of core and server there; returns pytest's exit code."""
    python = ensure_base_environment()
    stamp_file = TOOLS / "stamp"
    stamp = stamp_of([ROOT / "pyproject.toml"])
    if not stamp_file.exists() or stamp_file.read_text("utf-8") != stamp:
        say("installing test tools into .cache/test-tools")
        pip(python, ["install", "--upgrade", "--target", str(TOOLS), *dependencies("test")])
        stamp_file.write_text(stamp, "utf-8")
    say("running the tests of core and server without Qt")
    return run(
        [python, "-m", "pytest", *(arguments or ["tests/core", "tests/server", *side_by_side()])],
        {**os.environ, "PYTHONPATH": str(TOOLS)},
    )
