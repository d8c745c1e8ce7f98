"""Keeps what is secret in a URL out of logs, errors and reports."""

from __future__ import annotations

import re
from typing import Final

_SECRETS: Final = re.compile(r"(?i)([?&;](?:access_token|token|passcode|password|api_key)=)[^&;#\s\"'<>]*")
_PASSWORDS: Final = re.compile(r"(//[^/?#\s@:\"'<>]*:)[^/?#\s\"'<>]*@")


def without_tokens(text: str) -> str:
    """A URL, or a text with URLs in it, with ``***`` for tokens and passwords."""
    hidden = _SECRETS.sub(r"\1***", text)
    return _PASSWORDS.sub(r"\1***@", hidden) if "@" in hidden else hidden
