"""Texts from elsewhere, made harmless for where they are written; the only place that knows how.

A server's ERROR, a header, a reason, an instance's name may hold anything: escape sequences that
repaint a terminal, characters that XML has not, lines that look like somebody else's in a log,
formulas for a spreadsheet. What is no text is written out (``\\x1b``), so that it is seen and harms
nobody.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final
from xml.sax.saxutils import quoteattr

# Control characters of C0 (but tab and line feed) and C1, marks that turn the direction of writing,
# other separators of lines, halves of surrogates, and what Unicode says is no character.
_NO_TEXT: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff"
    "\ufffe\uffff]"
)

#: What spreadsheets take for a formula at the beginning of a cell. A sign alone is none.
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n＝＋－＠].", re.DOTALL)


def clean_text(text: str) -> str:
    """A text of one or several lines, for terminals and pages: all of it is visible."""
    if text.isprintable():
        return text
    return _NO_TEXT.sub(_written_out, text.replace("\r\n", "\n"))


def clean_line(text: str) -> str:
    """A text as one line, for logs and names: no part of it looks like a line of its own."""
    if text.isprintable():
        return text
    return _NO_TEXT.sub(_written_out, text).replace("\n", "\\n")


def for_markup(text: str) -> str:
    """Text between the tags of HTML or XML, and within double quotes in HTML."""
    return escape(clean_text(text))


def for_attribute(text: str) -> str:
    """An attribute of XML, with its quotes."""
    return quoteattr(clean_line(text))


def for_cell(text: str) -> str:
    """A cell of a CSV file, on one line; what a spreadsheet would take for a formula begins with ``'``."""
    line = clean_line(text)
    return f"'{line}" if _FORMULA.match(text) else line


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
