"""Texts from elsewhere in the window: shown as they are, never taken for HTML, and cleaned.

Qt takes a text that begins like HTML for rich text: labels where nothing else is said, tool tips
always. A user's name could draw an image there, or hide what follows it. So labels are made of
:class:`Plain`, and tips go through :func:`tip`; a test bans every other way.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import Qt as RichText
from PySide6.QtWidgets import QLabel, QWidget

from core.cleaning import clean_text


class Plain(QLabel):
    """A label whose text is no HTML, and has no control characters."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show a text as it is; what is invisible in it is written out."""
        super().setText(clean_text(text))


def tip(text: str) -> str:
    """What to give Qt as a tool tip so that people read ``text``."""
    clean = clean_text(text)
    return RichText.convertFromPlainText(clean) if RichText.mightBeRichText(clean) else clean


def set_tip(widget: QWidget, text: str) -> None:
    """Give a widget a tool tip that shows a text as it is."""
    widget.setToolTip(tip(text))
