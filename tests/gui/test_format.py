"""Numbers as people read them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QLocale

from gui import format as shown
from gui.i18n import Languages


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "–"), (0, 10, "0.0"), (10, 10, "100"), (9_999_999, 10_000_000, "99.99"), (1, 10_000_000, "0.1")],
)
def test_a_share_is_never_rounded_to_all_or_to_nothing(
    languages: Languages, part: int, whole: int, text: str
) -> None:
    assert shown.percent(part, whole) == text


def test_numbers_follow_the_language(languages: Languages) -> None:
    assert shown.integer(98_310) == "98,310"
    assert QLocale().decimalPoint() == "."
    assert shown.millis(1234.4) == "1,234"
    assert shown.millis(None) == "–"


def test_clocks() -> None:
    assert shown.clock(102) == "00:01:42"
    assert shown.short_clock(3702) == "1:01:42"
    assert shown.short_clock(-3) == "0:00"
    assert shown.mebibytes(-1) == "–"
    assert shown.rate(0.4) == "0.4"
    assert shown.rate(39.7) == "40"
