"""The visual language: tokens of the two themes, and the object that knows which one is on.

Tokens live here only. They feed the palette, the style sheet, the charts and everything painted
by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

ThemeMode = Literal["system", "light", "dark"]

ASSETS = Path(__file__).resolve().parent.parent / "assets"

#: Spacing steps in pixels; everything is one of these apart.
SPACE = (4, 8, 12, 16, 24, 32)

#: Families in order of preference; the system's own UI font follows.
FAMILIES = ("Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "Noto Sans CJK SC", "PingFang SC")
MONO_FAMILIES = ("JetBrains Mono", "Cascadia Mono", "SF Mono", "Noto Sans Mono", "DejaVu Sans Mono", "Menlo")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Colours of one theme as ``#rrggbb``; ``series`` are the instances' colours by index."""

    dark: bool
    window: str
    surface: str
    sunken: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    ok: str
    warn: str
    danger: str
    series: tuple[str, ...]

    def mix(self, colour: str, share: float) -> str:
        """``colour`` laid over the surface with this share (0 to 1), as an opaque colour."""
        return mix(self.surface, colour, share)


LIGHT = Tokens(
    dark=False,
    window="#F5F6F8",
    surface="#FFFFFF",
    sunken="#ECEEF1",
    line="#DADEE3",
    text="#1C2026",
    muted="#5A6370",
    accent="#1F5FCC",
    on_accent="#FFFFFF",
    ok="#17733A",
    warn="#8A5A00",
    danger="#C4262E",
    series=("#1A00F8", "#FF316A", "#0F96EB", "#AC1458", "#8C3AB7", "#005610", "#55882B", "#A47AA5"),
)

DARK = Tokens(
    dark=True,
    window="#16171A",
    surface="#1E1F22",
    sunken="#121316",
    line="#33363C",
    text="#E7E9EC",
    muted="#A0A7B2",
    accent="#7AB0FF",
    on_accent="#10131A",
    ok="#5FBF7A",
    warn="#E0A83C",
    danger="#FF7B78",
    series=("#10B9FF", "#FFE008", "#EF00B2", "#ED90A4", "#7E6CFB", "#AD702D", "#A2B40E", "#B0E9F8"),
)

#: Dash patterns by index, in pen widths; None is a solid line. From the ninth series on the
#: colours repeat with another pattern, so that no two of 24 look alike.
DASHES: tuple[tuple[float, ...] | None, ...] = (
    None,
    (6, 3),
    (2, 2),
    (9, 3, 2, 3),
    (12, 4),
    (4, 2, 1, 2),
    (3, 3),
    (9, 2, 1, 2, 1, 2),
)


def mix(under: str, over: str, share: float) -> str:
    """The opaque colour of ``over`` laid on ``under`` with opacity ``share``."""
    low, high = QColor(under), QColor(over)
    parts = (
        round(a + (b - a) * share)
        for a, b in (
            (low.red(), high.red()),
            (low.green(), high.green()),
            (low.blue(), high.blue()),
        )
    )
    return "#{:02X}{:02X}{:02X}".format(*parts)


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on ``colour`` (WCAG relative luminance)."""

    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    at = QColor(colour)
    luminance = 0.2126 * linear(at.red()) + 0.7152 * linear(at.green()) + 0.0722 * linear(at.blue())
    if luminance > 0.35:
        return LIGHT.text
    return "#000000" if luminance > 0.179 else "#FFFFFF"


def dash(index: int) -> tuple[float, ...] | None:
    """The dash pattern of series ``index``."""
    turn = index // len(LIGHT.series)
    return DASHES[(index + 3 * turn) % len(DASHES)]


def ui_font(pixels: int = 13, *, bold: bool = False) -> QFont:
    """The interface font with tabular figures."""
    font = QFont()
    font.setFamilies([*FAMILIES, QFont().family()])
    font.setPixelSize(pixels)
    font.setFeature(QFont.Tag("tnum"), 1)
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font


def mono_font(pixels: int = 12) -> QFont:
    """The system's fixed-pitch font, for frames, addresses and logs."""
    font = QFont()
    font.setFamilies([*MONO_FAMILIES, "monospace"])
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPixelSize(pixels)
    return font


class Theme(QObject):
    """Which theme is on; applies it to the application and tells those who paint by hand."""

    changed = Signal()

    def __init__(self, app: QApplication, mode: ThemeMode = "system") -> None:
        super().__init__(app)
        self._app = app
        self._mode: ThemeMode = mode
        self.tokens = LIGHT
        app.setStyle("Fusion")
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system)
        self.set_mode(mode)

    @property
    def mode(self) -> ThemeMode:
        """What was asked for: ``system``, ``light`` or ``dark``."""
        return self._mode

    def set_mode(self, mode: ThemeMode) -> None:
        """Switch; the whole window follows at once."""
        self._mode = mode
        hints = QGuiApplication.styleHints()
        wish = {
            "light": Qt.ColorScheme.Light,
            "dark": Qt.ColorScheme.Dark,
            "system": Qt.ColorScheme.Unknown,
        }[mode]
        hints.setColorScheme(wish)  # for title bars; the palette below decides the rest
        system_dark = hints.colorScheme() == Qt.ColorScheme.Dark
        self._apply(DARK if mode == "dark" or (mode == "system" and system_dark) else LIGHT)

    def series_colour(self, index: int) -> str:
        """The colour of instance ``index``, in this theme."""
        return self.tokens.series[index % len(self.tokens.series)]

    def _on_system(self) -> None:
        if self._mode == "system":
            self.set_mode("system")

    def _apply(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._app.setFont(ui_font())
        self._app.setPalette(_palette(tokens))
        self._app.setStyleSheet(style_sheet(tokens))
        self.changed.emit()


def style_sheet(tokens: Tokens) -> str:
    """The style sheet of ``assets/styles/window.qss`` with the tokens' values filled in."""
    text = (ASSETS / "styles" / "window.qss").read_text(encoding="utf-8")
    values = {item.name: str(getattr(tokens, item.name)) for item in fields(tokens) if item.name != "series"}
    values |= {
        "hover": tokens.mix(tokens.text, 0.05),
        "pressed": tokens.mix(tokens.text, 0.10),
        "selected": tokens.mix(tokens.accent, 0.14),
        "accent_hover": mix(tokens.accent, tokens.text, 0.12),
        "ok_soft": tokens.mix(tokens.ok, 0.12),
        "warn_soft": tokens.mix(tokens.warn, 0.14),
        "danger_soft": tokens.mix(tokens.danger, 0.10),
        "faint": tokens.mix(tokens.line, 0.55),
        "icons": (ASSETS / "icons").as_posix(),
        "shade": "dark" if tokens.dark else "light",
    }
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"@{name}", values[name])
    return text


def _palette(tokens: Tokens) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for key, value in {
        role.Window: tokens.window,
        role.WindowText: tokens.text,
        role.Base: tokens.surface,
        role.AlternateBase: tokens.window,
        role.Text: tokens.text,
        role.PlaceholderText: tokens.muted,
        role.Button: tokens.surface,
        role.ButtonText: tokens.text,
        role.BrightText: tokens.danger,
        role.ToolTipBase: tokens.surface,
        role.ToolTipText: tokens.text,
        role.Highlight: tokens.mix(tokens.accent, 0.22),
        role.HighlightedText: tokens.text,
        role.Accent: tokens.accent,
        role.Link: tokens.accent,
        role.Light: tokens.surface,
        role.Midlight: tokens.sunken,
        role.Mid: tokens.line,
        role.Dark: tokens.line,
        role.Shadow: tokens.line,
    }.items():
        palette.setColor(key, QColor(value))
    off = QPalette.ColorGroup.Disabled
    for key in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(off, key, QColor(mix(tokens.surface, tokens.muted, 0.6)))
    return palette
