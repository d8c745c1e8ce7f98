"""Properties files as Java and Spring Boot read them, documents between ``#---`` lines included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from core.errors import UsageError

from .settings import Document, Leaf, document_of, elements_of, scalar

_SEPARATOR: Final = re.compile(r"[#!]---\s*")
_KEY: Final = re.compile(r"((?:\\.|[^\\=:\s])*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.)|$)", re.DOTALL)
_SIGNS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def read_properties(text: str, source: str) -> list[Document]:
    """The documents of a file; of a key that is there twice the last one counts.

    Raises:
        UsageError: a key has an absurd index.
    """
    documents: list[list[Leaf]] = [[]]
    for number, line in _logical_lines(text):
        if _SEPARATOR.fullmatch(line):
            documents.append([])
        elif not line.startswith(("#", "!")):
            match = _KEY.fullmatch(line)
            assert match is not None, "it matches everything"
            path = elements_of(_unescaped(match[1]))
            if path:
                documents[-1].append(Leaf(path, scalar(_unescaped(match[2]), source, number)))
    try:
        return [document_of(leaves) for leaves in documents]
    except ValueError as error:
        raise UsageError(f"{source}: {error}", tried=f"read {source}") from error


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without what they begin with, continued ones joined, and the number of each (from 0)."""
    begun, first = "", 0
    for number, raw in enumerate(text.splitlines()):
        line = raw.lstrip(" \t\f")
        if not begun:
            if not line:
                continue
            first = number
            if line.startswith(("#", "!")):
                yield number, line
                continue
        begun += line
        if (len(begun) - len(begun.rstrip("\\"))) % 2:
            begun = begun[:-1]
            continue
        yield first, begun
        begun = ""
    if begun:
        yield first, begun


def _unescaped(text: str) -> str:
    def sign(match: re.Match[str]) -> str:
        code, other = match.groups()
        return chr(int(code, 16)) if code else _SIGNS.get(other or "", other or "")

    return _ESCAPE.sub(sign, text)
