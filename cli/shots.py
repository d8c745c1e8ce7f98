"""The README's pictures: a hidden command, run by ``dev.py shots``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.launch import self_command

from .output import say

_SCREEN = "-screen 0 1600x1000x24"


def shots(
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures.")] = Path("assets/screenshots"),
) -> int:
    """Run the demo in the real window and take the README's pictures."""
    if _needs_display():
        xvfb = shutil.which("xvfb-run")
        if xvfb is not None:
            command = [xvfb, "-a", "-s", _SCREEN, *self_command("shots", "--out", str(out))]
            return subprocess.run(command, check=False).returncode
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        say("no display and no xvfb-run: Qt draws offscreen", err=True)
    import logging

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from gui.shots import take_shots

    for path in take_shots(out):
        say(str(path))
    return 0


def _needs_display() -> bool:
    chosen = (
        os.environ.get("QT_QPA_PLATFORM") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    return sys.platform == "linux" and not chosen
