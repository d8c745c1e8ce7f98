"""Writes what a run leaves behind into a folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..errors import UsageError
from .deliveries import write_deliveries
from .html import render_html
from .junit import render_junit
from .result import Result


def prepare_folder(folder: Path) -> Path:
    """Make the folder if need be and make sure that it can be written to.

    Raises:
        UsageError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".pushscope"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"cannot write into {folder}: {error.strerror}",
            tried=f"--out {folder}",
            hint="give another folder",
        ) from error
    return folder.resolve()


def write_report(result: Result, folder: Path) -> None:
    """Write ``summary.json``, ``report.html``, ``junit.xml`` and ``deliveries.csv``.

    Raises:
        UsageError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    summary = msgspec.json.format(msgspec.json.encode(result.summary), indent=2)
    try:
        (folder / "summary.json").write_bytes(summary + b"\n")
        (folder / "junit.xml").write_text(render_junit(result), encoding="utf-8")
        write_deliveries(result, folder / "deliveries.csv")
        (folder / "report.html").write_text(render_html(result), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write into {folder}: {error.strerror}", hint="give another folder"
        ) from error
