"""Tokens, contrast, style sheet, series' looks."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from gui.theme import DARK, LIGHT, Theme, Tokens, dash, ink_on, mix, style_sheet


def luminance(colour: str) -> float:
    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    at = QColor(colour)
    return 0.2126 * linear(at.redF()) + 0.7152 * linear(at.greenF()) + 0.0722 * linear(at.blueF())


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_colour_can_be_read(app: QApplication, tokens: Tokens) -> None:
    grounds = (tokens.window, tokens.surface, tokens.sunken)
    for name in ("text", "muted", "accent", "ok", "warn", "danger"):
        assert min(contrast(getattr(tokens, name), ground) for ground in grounds) >= 4.5, name
    assert contrast(tokens.on_accent, tokens.accent) >= 4.5
    assert min(contrast(colour, tokens.surface) for colour in tokens.series) >= 3.0


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ok", "warn", "danger", "accent"])
def test_a_number_in_a_coloured_cell_can_be_read(app: QApplication, tokens: Tokens, name: str) -> None:
    for share in (0.08, 0.15, 0.25, 0.4, 0.6, 0.7):
        fill = tokens.mix(getattr(tokens, name), share)
        assert contrast(ink_on(fill), fill) >= 4.5, (share, fill)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_the_style_sheet_has_no_token_left(app: QApplication, tokens: Tokens) -> None:
    lines = [line for line in style_sheet(tokens).splitlines() if "@names" not in line]
    assert not [line for line in lines if "@" in line]


def test_twenty_four_instances_look_different(app: QApplication) -> None:
    looks = {(LIGHT.series[index % 8], dash(index)) for index in range(24)}
    assert len(looks) == 24


def test_switching_tells_those_who_paint_by_hand(app: QApplication) -> None:
    theme = Theme(app, "light")
    told: list[bool] = []
    theme.changed.connect(lambda: told.append(theme.tokens.dark))
    theme.set_mode("dark")
    assert told == [True]
    assert app.palette().window().color().name().upper() == DARK.window
    theme.set_mode("light")
    assert mix("#000000", "#FFFFFF", 0.5) == "#808080"
