"""Why something failed, in words for people; the only place that makes them of exceptions not ours.

Many exceptions have no text: ``str(TimeoutError())`` is empty, and "cannot connect:" followed by
nothing says nothing.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Final, cast

#: What an exception without a text means, by its class; the first that fits.
_MEANINGS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (TimeoutError, "no answer in time"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "the connection was reset"),
    (ConnectionAbortedError, "the connection was aborted"),
    (BrokenPipeError, "the other end has closed the connection"),
    (asyncio.CancelledError, "it was cancelled"),
    (EOFError, "the connection ended"),
    (MemoryError, "out of memory"),
    (UnicodeError, "it is not text in the expected encoding"),
)


def reason_of(error: BaseException, *, within: float | None = None) -> str:
    """What an exception says, never empty.

    Args:
        error: Any exception.
        within: Seconds that were waited, for a deadline of ours that has passed.
    """
    if isinstance(error, TimeoutError) and not error.errno and not str(error).strip():
        return "no answer in time" if within is None else f"no answer within {within:g} s"
    if isinstance(error, BaseExceptionGroup):
        parts = cast(BaseExceptionGroup[BaseException], error).exceptions
        return "; ".join(dict.fromkeys(reason_of(each, within=within) for each in parts))
    said = _system_reason(error) if isinstance(error, OSError) else str(error).strip()
    return said or _meaning(error, within)


def _system_reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"  # asyncio's own words for it are those of a programmer
    if isinstance(error, ssl.SSLCertVerificationError) and getattr(error, "verify_message", ""):
        return f"certificate verify failed: {error.verify_message}"
    words = error.strerror
    if words and error.errno and words.startswith("Connect call failed"):
        return os.strerror(error.errno).lower()
    return (words or str(error)).strip()


def _meaning(error: BaseException, within: float | None) -> str:
    """For an exception without a text: what led to it, or what its class means."""
    cause = error.__cause__
    if cause is not None and str(cause).strip():
        return reason_of(cause, within=within)
    return next((words for kind, words in _MEANINGS if isinstance(error, kind)), type(error).__name__)
