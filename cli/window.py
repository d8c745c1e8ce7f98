"""The window, opened from the command line."""

from __future__ import annotations

from .display import require_display


def open_window(start_demo: bool) -> int:
    """Open the window and return when it was closed; Qt is imported here and not before.

    Args:
        start_demo: Start the demo at once, as a click on *Start the demo* would.

    Raises:
        UsageError: no window can open here; says why and how to do without.
    """
    require_display()
    from gui.app import run_window

    return run_window(start_demo=start_demo)
