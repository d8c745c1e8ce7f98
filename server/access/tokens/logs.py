"""Keeps access tokens out of the logs of a server that somebody else runs.

Our own listeners log no requests. A service in which an instance is mounted has a server of its own, whose
access log has the query of every request::

    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(HideTokens())
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from core.redaction import without_tokens


class HideTokens(logging.Filter):
    """Puts ``***`` for the tokens of URLs in everything that a logger writes."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record in place; it is always written."""
        if isinstance(record.msg, str):
            record.msg = without_tokens(record.msg)
        if isinstance(record.args, Mapping):
            record.args = {name: _hidden(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(_hidden(value) for value in record.args)
        return True


def _hidden(value: object) -> object:
    return without_tokens(value) if isinstance(value, str) else value
