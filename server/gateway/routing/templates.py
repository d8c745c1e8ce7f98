"""Texts with ``{variables}`` of a route's patterns, for paths and header values (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")

Variables = Mapping[str, str]
#: For requests that none are asked of.
NO_VARIABLES: Variables = {}


class Template:
    """One text.

    Raises:
        ValueError: a brace that belongs to no variable.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        pieces = _VARIABLE.split(text)  # literal, name, literal, …
        if any(sign in literal for literal in pieces[::2] for sign in "{}"):
            raise ValueError(f"{text!r}: a brace begins or ends a variable: {{name}}")
        self._pieces = pieces
        self.names = frozenset(pieces[1::2])

    def fill(self, variables: Variables) -> str:
        """The text with its variables."""
        if not self.names:
            return self.text
        pieces = self._pieces
        return "".join(variables[x] if number % 2 else x for number, x in enumerate(pieces))

    def fill_bytes(self, variables: Variables) -> bytes:
        """The same for a header: what is ours in UTF-8, what came in its bytes."""
        return b"".join(
            variables[x].encode("latin-1") if number % 2 else x.encode()
            for number, x in enumerate(self._pieces)
        )
