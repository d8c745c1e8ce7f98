"""pyqtgraph behind a typed surface: the only module that knows it.

Its rules are measured ones: pens one pixel wide (a wide antialiased pen costs a hundred times as
much), one item per curve for its whole life, float64 x, ranges and ticks set by us, no built-in
legend and no context menu (it would bring its own English).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyqtgraph  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.cleaning import clean_line

from ..theme import Tokens, ui_font
from .scales import Ticks, plain

pg: Any = pyqtgraph
Floats = NDArray[np.float64]

_AXIS_WIDTH = 54
_STRIP_HEIGHT = 64

#: Lines on which the labels of events hang.
_LABEL_LINES = 5


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled vertical line at a moment; ``tone`` is a colour token's name."""

    t: float
    text: str
    tone: str


class _Curve:
    """One series: its line, and dots for points without neighbours, which a line cannot show."""

    def __init__(self, plot: Any, pen: QPen) -> None:
        self.line: Any = pg.PlotDataItem(connect="finite", antialias=True)
        self.dots: Any = pg.ScatterPlotItem(size=4, pxMode=True, antialias=True)
        plot.addItem(self.line)
        plot.addItem(self.dots)
        self.visible = True
        self.set_pen(pen)

    def set_pen(self, pen: QPen) -> None:
        self.pen = pen
        self.line.setPen(pen)
        self.dots.setPen(None)
        self.dots.setBrush(pg.mkBrush(pen.color()))

    def set_data(self, x: Floats, y: Floats) -> None:
        self.line.setData(x, y)
        alone = _isolated(y)
        self.dots.setData(x[alone], y[alone])

    def show(self, visible: bool) -> None:
        self.visible = visible
        self.line.setVisible(visible)
        self.dots.setVisible(visible)


class TimeChart(QWidget):
    """Curves over time with a strip of bars beneath on the same time axis, marks and a crosshair.

    The caller sets data, ranges and ticks; the chart reports where the mouse is (``hovered``, a
    time or None) and that it was moved by hand (``moved``, the new x range).
    """

    hovered = Signal(object)
    moved = Signal(float, float)
    reset_asked = Signal()

    def __init__(self, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tokens = tokens
        self._curves: dict[str, _Curve] = {}
        self._marks: list[tuple[Mark, Any, Any, Any]] = []
        self._top = 1.0
        self._bottom = 0.0
        self._setting = False
        self._dragging = False
        self._canvas: Any = pg.GraphicsLayoutWidget()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(cast(QWidget, self._canvas))
        self._build()
        self.apply_theme(tokens)

    # ---- data ----------------------------------------------------------------------------

    def set_curve(self, key: str, pen: QPen) -> None:
        """Add a curve, or change its pen; the pen's width should be 1."""
        curve = self._curves.get(key)
        if curve is None:
            self._curves[key] = _Curve(self._main, pen)
        elif curve.pen != pen:
            curve.set_pen(pen)

    def remove_curves(self, keep: Iterable[str]) -> None:
        """Drop every curve that is not in ``keep``."""
        for key in set(self._curves) - set(keep):
            curve = self._curves.pop(key)
            self._main.removeItem(curve.line)
            self._main.removeItem(curve.dots)

    def set_data(self, key: str, x: Floats, y: Floats) -> None:
        """The points of a curve; NaN breaks the line."""
        self._curves[key].set_data(x, y)

    def show_curve(self, key: str, visible: bool) -> None:
        """Show or hide a curve."""
        if key in self._curves and self._curves[key].visible != visible:
            self._curves[key].show(visible)

    def set_bars(self, x: Floats, heights: Floats, width: float) -> None:
        """The strip's bars; zero heights are left out."""
        some = heights > 0
        self._bars.setOpts(x=x[some], height=heights[some], width=width * 0.86)

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """The vertical lines; unchanged ones stay."""
        wanted = list(marks)
        if [item[0] for item in self._marks] == wanted:
            return
        for _, line, strip, text in self._marks:
            self._main.removeItem(line)
            self._strip.removeItem(strip)
            self._main.removeItem(text)
        self._marks = [self._add_mark(mark) for mark in wanted]
        self._place_labels()

    # ---- axes ----------------------------------------------------------------------------

    def set_x(self, start: float, end: float, ticks: Ticks) -> None:
        """The visible span of time and its ticks; the span stays while the mouse drags."""
        if not self._dragging:
            self._setting = True
            self._main.setXRange(start, end, padding=0)
            self._setting = False
        self._strip_x.setTicks([ticks])
        self._main_x.setTicks([[(at, "") for at, _ in ticks]])
        self._place_labels()

    def set_y(self, bottom: float, top: float, ticks: Ticks, unit: str) -> None:
        """The main plot's span and ticks, in the values' own (perhaps logarithmic) scale; the
        unit stands at the highest tick."""
        self._bottom, self._top = bottom, top
        self._main.setYRange(bottom, top, padding=0)
        # A label at the very edge would be left out; the unit goes to the highest one below.
        room = bottom + 0.96 * (top - bottom)
        highest = max((at for at, _ in ticks if at <= room), default=top)
        named = [(at, f"{text} {unit}" if at == highest else text) for at, text in ticks]
        self._main_y.setTicks([named])
        self._place_labels()

    def set_strip(self, top: float, text: str) -> None:
        """The strip's upper end and the words at its side; the end is named near the top."""
        self._strip.setYRange(0, top, padding=0)
        self._strip_y.setTicks([[(top * 0.2, text), (top * 0.82, plain(top))]])

    def move_to(self, start: float, end: float) -> None:
        """Show a span as if it had been moved there by hand."""
        self._main.setXRange(start, end, padding=0)

    @property
    def x_range(self) -> tuple[float, float]:
        """The visible span of time."""
        start, end = self._main.getViewBox().viewRange()[0]
        return float(start), float(end)

    @property
    def dragging(self) -> bool:
        """Whether the mouse holds the chart; leave it alone then."""
        return self._dragging

    # ---- looks ---------------------------------------------------------------------------

    def apply_theme(self, tokens: Tokens) -> None:
        """Colours of background, axes and crosshair; curves get theirs by :meth:`set_curve`."""
        self._tokens = tokens
        self._canvas.setBackground(QColor(tokens.surface))
        line, muted = pg.mkPen(tokens.line), pg.mkPen(tokens.muted)
        for axis in (self._main_x, self._main_y, self._strip_x, self._strip_y):
            axis.setPen(line)
            axis.setTextPen(muted)
            axis.setTickPen(line)
        faint = pg.mkPen(tokens.mix(tokens.line, 0.75))
        self._strip_y.setPen(faint)
        for cross in self._cross:
            cross.setPen(pg.mkPen(tokens.muted, style=Qt.PenStyle.DotLine))
        self._bars.setOpts(brush=pg.mkBrush(tokens.danger), pen=pg.mkPen(None))
        marks, self._marks = [item[0] for item in self._marks], self._marks
        self.set_marks([])
        self.set_marks(marks)

    def set_words(self, name: str, description: str) -> None:
        """What assistive technology says about the chart."""
        widget = cast(QWidget, self._canvas)
        for target in (self, widget):
            target.setAccessibleName(name)
            target.setAccessibleDescription(description)

    def show_cross(self, t: float | None) -> None:
        """The crosshair at a time, or none."""
        for cross in self._cross:
            cross.setVisible(t is not None)
            if t is not None:
                cross.setPos(t)

    # ---- inside --------------------------------------------------------------------------

    def _build(self) -> None:
        layout = self._canvas.ci.layout
        layout.setContentsMargins(0, 4, 8, 0)
        layout.setSpacing(0)
        self._main: Any = self._canvas.addPlot(row=0, col=0)
        self._strip: Any = self._canvas.addPlot(row=1, col=0)
        layout.setRowStretchFactor(0, 1)
        self._strip.setFixedHeight(_STRIP_HEIGHT)
        self._main_x, self._main_y = self._main.getAxis("bottom"), self._main.getAxis("left")
        self._strip_x, self._strip_y = self._strip.getAxis("bottom"), self._strip.getAxis("left")
        font = ui_font(12)
        for axis in (self._main_x, self._main_y, self._strip_x, self._strip_y):
            axis.setStyle(tickLength=0, tickTextOffset=6, tickFont=font, autoExpandTextSpace=False)
        self._main_y.setWidth(_AXIS_WIDTH)
        self._strip_y.setWidth(_AXIS_WIDTH)
        self._main_x.setHeight(8)
        self._strip_x.setHeight(22)
        self._main_y.setGrid(70)
        for plot in (self._main, self._strip):
            plot.hideButtons()
            plot.setMenuEnabled(False)
            view = plot.getViewBox()
            view.setMouseEnabled(x=plot is self._main, y=False)
            view.disableAutoRange()
            view.setDefaultPadding(0)
        self._strip.setXLink(self._main)
        self._bars: Any = pg.BarGraphItem(x=[], height=[], width=1)
        self._strip.addItem(self._bars)
        self._cross: list[Any] = [pg.InfiniteLine(angle=90, movable=False) for _ in range(2)]
        for plot, cross in zip((self._main, self._strip), self._cross, strict=True):
            plot.addItem(cross, ignoreBounds=True)
            cross.setVisible(False)
        self._listen()

    def _listen(self) -> None:
        scene = self._canvas.scene()
        self._proxy = pg.SignalProxy(scene.sigMouseMoved, rateLimit=30, slot=self._on_mouse)
        self._main.getViewBox().sigXRangeChanged.connect(self._on_range)
        cast(QWidget, self._canvas).viewport().installEventFilter(self)  # pyright: ignore

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Shift-drag draws a box, double-click resets; know when the mouse holds the chart."""
        match event.type():
            case QEvent.Type.MouseButtonPress if isinstance(event, QMouseEvent):
                self._dragging = True
                boxed = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
                view = self._main.getViewBox()
                view.setMouseMode(view.RectMode if boxed else view.PanMode)
            case QEvent.Type.MouseButtonRelease:
                self._dragging = False
            case QEvent.Type.MouseButtonDblClick:
                self._dragging = False
                self.reset_asked.emit()
            case QEvent.Type.Leave:
                self.hovered.emit(None)
            case _:
                pass
        return False

    def _on_mouse(self, arguments: tuple[QPointF]) -> None:
        view = self._main.getViewBox()
        position = arguments[0]
        if not self._canvas.ci.sceneBoundingRect().contains(position):
            self.hovered.emit(None)
            return
        t = float(view.mapSceneToView(position).x())
        start, end = self.x_range
        self.hovered.emit(t if start <= t <= end else None)

    def _on_range(self) -> None:
        if not self._setting:
            start, end = self.x_range
            self.moved.emit(start, end)

    def _add_mark(self, mark: Mark) -> tuple[Mark, Any, Any, Any]:
        colour = QColor(getattr(self._tokens, mark.tone))
        line, strip = (pg.InfiniteLine(mark.t, angle=90, pen=pg.mkPen(colour)) for _ in range(2))
        text = pg.TextItem(clean_line(mark.text), color=colour, anchor=(0, 0))
        text.setFont(ui_font(12))
        self._main.addItem(line, ignoreBounds=True)
        self._strip.addItem(strip, ignoreBounds=True)
        self._main.addItem(text, ignoreBounds=True)
        return mark, line, strip, text

    def _place_labels(self) -> None:
        """Labels hang at the top, each on the highest line where it covers no other."""
        start, end = self.x_range
        view = float(self._main.getViewBox().width())
        per_second = view / max(end - start, 1e-9)
        height = self._top - self._bottom
        taken: list[list[tuple[float, float]]] = [[] for _ in range(_LABEL_LINES)]
        for mark, _, _, text in self._marks:
            x, wide = (mark.t - start) * per_second, float(text.boundingRect().width())
            left = x + wide > view
            span = (x - wide, x) if left else (x, x + wide)
            line = next((k for k, spans in enumerate(taken) if _free(span, spans)), _LABEL_LINES - 1)
            taken[line].append(span)
            text.setAnchor((1, 0) if left else (0, 0))
            text.setPos(mark.t, self._top - height * (0.02 + 0.075 * line))
            text.setVisible(start <= mark.t <= end)


def _free(span: tuple[float, float], others: list[tuple[float, float]]) -> bool:
    return all(span[1] <= low or span[0] >= high for low, high in others)


def _isolated(y: Floats) -> NDArray[np.bool_]:
    """Which points have a value and no neighbour with one."""
    some = np.isfinite(y)
    left = np.concatenate([[False], some[:-1]]) if len(some) else some
    right = np.concatenate([some[1:], [False]]) if len(some) else some
    return some & ~left & ~right
