"""Whether a window can open here, and if not, why and what mends it. Standard library only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from .packages import SYSTEM_NEEDS, install_line

#: Constructs what every window needs; a missing library or a silent display ends it.
_PROBE = "from PySide6.QtWidgets import QApplication; QApplication([])"
_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file")


@dataclass(frozen=True, slots=True)
class DisplayProblem:
    """Why no window can open here; ``mend`` is a command, or empty when no command helps."""

    reason: str
    mend: str = ""


def require_display() -> None:
    """Return when a window can open here.

    Raises:
        UsageError: none can; says why, what mends it, and how to do without (exit 2).
    """
    problem = display_problem()
    if problem is None:
        return
    from core.errors import UsageError

    mend = f"{problem.mend}\n  or without a window: " if problem.mend else "without a window: "
    raise UsageError(
        f"no window can open: {problem.reason}",
        hint=mend + "pushscope demo --headless, pushscope run, pushscope check, pushscope serve",
    )


def display_problem(python: str = sys.executable) -> DisplayProblem | None:
    """Try what a window needs in a child process; None when one can open.

    A child, because Qt ends the whole process when it finds no display.

    Args:
        python: The interpreter whose environment has Qt.
    """
    on_linux = sys.platform == "linux"
    offscreen = os.environ.get("QT_QPA_PLATFORM", "").startswith(("offscreen", "minimal", "vnc"))
    if on_linux and not offscreen and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return DisplayProblem("there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)")
    return qt_problem(python)


def qt_problem(python: str = sys.executable, platform: str = "") -> DisplayProblem | None:
    """Start Qt in a child process, on the named platform (``offscreen``) or the present one."""
    environment = {**os.environ, "QT_DEBUG_PLUGINS": "1"}
    if platform:
        environment["QT_QPA_PLATFORM"] = platform
    try:
        done = subprocess.run(
            [python, "-P", "-c", _PROBE],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return DisplayProblem("the display does not answer (Qt waited 60 s for it)")
    if done.returncode == 0:
        return None
    return explain(done.stderr, (*SYSTEM_NEEDS["qt"].missing(), *SYSTEM_NEEDS["xcb"].missing()))


def explain(output: str, absent: Sequence[str] = ()) -> DisplayProblem:
    """What Qt's last words mean, and what to do about it.

    Args:
        output: What Qt wrote before it ended.
        absent: Libraries that are known not to load here: Qt does not always name them.
    """
    if re.search(r"No module named '(PySide6|shiboken6)", output):
        reason = "PySide6, the window's toolkit, is not installed"
        return DisplayProblem(reason, "pip install 'pushscope[gui]'")
    if "could not connect to display" in output:
        return DisplayProblem(f"nothing answers at the display {os.environ.get('DISPLAY', '')!r}")
    libraries = sorted({*absent, *(match[1] for match in _LIBRARY.finditer(output))})
    if libraries:
        packages = (*SYSTEM_NEEDS["qt"].packages, *SYSTEM_NEEDS["xcb"].packages)
        return DisplayProblem(f"Qt needs {', '.join(libraries)}", install_line(packages))
    lines = [line for line in output.splitlines() if line.strip()]
    return DisplayProblem(f"Qt does not start: {lines[-1].strip() if lines else 'it gives no reason'}")
