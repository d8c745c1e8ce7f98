"""Writes what a run leaves behind into a folder: each file whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

import msgspec

from ..errors import EXIT_PRECEDENCE, ExitCode, ReportNotWritten
from ..reasons import reason_of
from .deliveries import write_deliveries
from .html import render_html
from .junit import render_junit
from .result import Result

#: What to do where a report cannot be written.
ROOM_HINT: Final = "make room, or give another folder"

#: The shortest report takes this many bytes: where they do not fit, none will.
_LEAST_BYTES: Final = 20 * 1024

#: A file under way: seen by nobody who looks for a report.
_UNFINISHED: Final = ".unfinished"


def prepare_folder(folder: Path) -> Path:
    """Make the folder if need be, make sure that a report fits into it, and take away an old one.

    The files of an earlier run must not be mistaken for those of one that never wrote its own.

    Raises:
        ReportNotWritten: it cannot be done; names the file and the reason.
    """
    failed: list[tuple[Path, OSError]] = []
    for name in _FILES:  # all that can go does, whatever becomes of the others
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            failed.append((folder / name, error))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _probe(folder / f".pushscope{_UNFINISHED}")
    except OSError as error:
        failed.insert(0, (folder, error))
    for place, error in failed:
        raise ReportNotWritten(
            f"cannot write into {place}: {_reason(place, error)}", tried=f"--out {folder}", hint=ROOM_HINT
        ) from error
    return folder.resolve()


@contextlib.contextmanager
def records_folder(out: Path) -> Generator[Path]:
    """Prepare the folder of a report, and for as long as the block lasts another one for the records
    of a run (:mod:`core.load.record`), of which ``deliveries.csv`` is made.

    Raises:
        ReportNotWritten: one of them cannot be written to.
    """
    prepare_folder(out)
    try:
        folder = tempfile.TemporaryDirectory(prefix="pushscope-", ignore_cleanup_errors=True)
    except OSError as error:
        raise ReportNotWritten(
            f"cannot record what becomes of pushes in {_temporary()}: {reason_of(error)}",
            tried="make a temporary folder for deliveries.csv",
            hint="make room there, or name another place by the environment variable TMPDIR",
        ) from error
    with folder as path:
        yield Path(path)


def _temporary() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:  # none of the usual places can be written to
        return "a temporary folder"


def write_report(result: Result, folder: Path) -> Result:
    """Write ``summary.json``, ``report.html``, ``junit.xml`` and ``deliveries.csv``.

    Returns:
        The result as the files tell it: one of which a file could not be written is an error that
        names the file and the reason, and the files that could be written say so too.
    """
    missing: dict[str, str] = {}
    told = result
    while failed := _write_all(told, folder, missing):
        missing |= failed
        told = _without(result, folder, missing)
    return told


def report_failure(result: Result, words: str) -> Result:
    """The result of a run whose report is not there, or not whole."""
    applying = {result.exit_code, ExitCode.INTERNAL}
    code = next(code for code in EXIT_PRECEDENCE if code in applying)
    summary = msgspec.structs.replace(
        result.summary,
        result="interrupted" if code is ExitCode.INTERRUPTED else "error",
        reason=f"{words}; {result.reason}",
    )
    return msgspec.structs.replace(result, summary=summary, exit_code=code)


def _without(result: Result, folder: Path, missing: dict[str, str]) -> Result:
    lacking = ", ".join(f"{folder / name} ({reason})" for name, reason in missing.items())
    return report_failure(result, f"the report could not be written: {lacking}")


def _write_all(result: Result, folder: Path, besides: dict[str, str]) -> dict[str, str]:
    """Write all files but some; ends at the first that cannot be written and says why."""
    for name, write in _FILES.items():
        if name in besides:
            continue
        path = folder / name
        if name == "deliveries.csv" and result.unrecorded:
            return {name: result.unrecorded}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write_whole(path, lambda file, write=write: write(result, file))
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # of the round before: it knows nothing of this
            return {name: _reason(path, error)}
    return {}


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, and put it there once it is whole."""
    unfinished = path.with_name(f".{path.name}{_UNFINISHED}")
    try:
        write(unfinished)
        os.replace(unfinished, path)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _probe(path: Path) -> None:
    """Write as much as a report needs, and take it away again."""
    try:
        with path.open("wb") as file:
            file.write(bytes(_LEAST_BYTES))
            file.flush()
            os.fsync(file.fileno())  # some file systems look for room only now
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _reason(path: Path, error: OSError) -> str:
    """What the system says; a folder in a file's place has other words on each system."""
    if path.name in _FILES and path.is_dir() and not path.is_symlink():
        return "is a folder"
    return reason_of(error)


def _write_summary(result: Result, path: Path) -> None:
    summary = msgspec.json.format(msgspec.json.encode(result.summary), indent=2)
    path.write_bytes(summary + b"\n")


#: Names of the files, and what writes each; the largest first, so that the others can tell of it.
_FILES: Final[dict[str, Callable[[Result, Path], object]]] = {
    "deliveries.csv": write_deliveries,
    "report.html": lambda result, path: path.write_text(render_html(result), encoding="utf-8"),
    "summary.json": _write_summary,
    "junit.xml": lambda result, path: path.write_text(render_junit(result), encoding="utf-8"),
}
