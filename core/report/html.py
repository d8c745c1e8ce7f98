"""report.html."""

from __future__ import annotations
from .result import Result


def render_html(result: Result) -> str:
    """The text of the file."""
    return ""
