"""Lines of a log: each entry is one, whatever text of others is in it."""

from __future__ import annotations

import logging
import sys

from .cleaning import clean_line, clean_text


class CleanFormatter(logging.Formatter):
    """Writes control characters out (:mod:`core.cleaning`); only tracebacks have further lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See :class:`logging.Formatter`."""
        return clean_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """See :class:`logging.Formatter`."""
        return clean_text(super().format(record))


def log_to_stderr(level: int, form: str, times: str | None = None) -> None:
    """Have this process write its log to standard error.

    Args:
        level: From which level on.
        form: As of :class:`logging.Formatter`.
        times: How moments are written, as of :func:`time.strftime`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(CleanFormatter(form, times))
    logging.basicConfig(level=level, handlers=[handler])
