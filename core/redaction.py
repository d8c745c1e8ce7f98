"""Keeps what is secret in a URL out of logs, errors and reports."""

from __future__ import annotations

import re
from typing import Final

_SECRETS: Final = re.compile(r"(?i)([?&;](?:access_token|token|passcode|password|api_key)=)[^&;#\s\"'<>]*")


def without_tokens(text: str) -> str:
    """A URL, or a text with URLs in it, with ``***`` for tokens and passwords of queries."""
    return _SECRETS.sub(r"\1***", text)
