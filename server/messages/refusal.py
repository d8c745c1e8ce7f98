"""A client's frame that is refused with an ERROR."""

from __future__ import annotations


class Refusal(Exception):
    """Becomes the ERROR frame that ends the session: ``message`` header and body."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.detail = detail
