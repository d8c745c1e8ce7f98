"""Fills the strip of headline numbers and the rail's badges from the models."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from . import words
from .format import NONE, clock, integer, millis, percent, rate
from .session import Session
from .widgets.kpi import Figure, KpiStrip
from .widgets.rail import Badge, Rail

#: Under this name lupdate finds the texts.
translate = QCoreApplication.translate

KEYS = (
    "run",
    "users",
    "pushes",
    "refused",
    "reach",
    "p50",
    "p99",
    "lost",
    "duplicate",
    "misrouted",
    "reordered",
)

#: Where each number leads.
TARGETS = {
    "run": "latency",
    "users": "users",
    "pushes": "push",
    "refused": "push",
    "reach": "matrix",
    "p50": "latency",
    "p99": "latency",
    "lost": "matrix",
    "duplicate": "matrix",
    "misrouted": "matrix",
    "reordered": "matrix",
}


def _names() -> dict[str, str]:
    return {
        "users": translate("Headline", "Users"),
        "pushes": translate("Headline", "Pushes"),
        "refused": translate("Headline", "Refused"),
        "reach": translate("Headline", "Reach"),
        "p50": "p50",
        "p99": "p99",
        "lost": translate("Headline", "Lost"),
        "duplicate": translate("Headline", "Duplicate"),
        "misrouted": translate("Headline", "Misrouted"),
        "reordered": translate("Headline", "Reordered"),
    }


def retranslate(strip: KpiStrip, session: Session) -> None:
    """Set the names in the present language."""
    for key, name in _names().items():
        strip.tile(key).setText(name)
    strip.tile("run").setText(words.state(session.run.run))


def fill_strip(strip: KpiStrip, session: Session) -> None:
    """Show the present numbers; coloured only where one needs a look."""
    run = session.run
    totals, latest = run.totals, run.latest
    strip.tile("run").setText(words.state(run.run))
    measured = totals.pushed > 0
    settled = totals.delivered + totals.lost
    reach = percent(totals.delivered, settled)
    reach_tone = "text" if not totals.lost else "warn" if totals.delivered >= 0.99 * settled else "danger"
    figures = {
        "run": Figure(clock(run.run_seconds) if run.run != "idle" else NONE),
        "users": _users(session),
        "pushes": Figure(rate(latest.push_rate) if latest is not None else NONE, "/s" if latest else ""),
        "refused": Figure(integer(totals.refused), tone="danger"),
        "reach": Figure(reach, "%" if settled else "", reach_tone),
        "p50": _latency(run.latency.p50),
        "p99": _latency(run.latency.p99),
        "lost": _count(totals.lost, measured, "danger"),
        "duplicate": _count(totals.duplicate, measured, "warn"),
        "misrouted": _count(totals.misrouted, measured, "danger"),
        "reordered": _count(totals.reordered, measured, "warn"),
    }
    for key, figure in figures.items():
        strip.tile(key).set_figure(figure)
    strip.tile("refused").setVisible(totals.refused > 0)  # rare, and then it matters


def fill_rail(rail: Rail, session: Session) -> None:
    """Counts beside the views, coloured where there is news."""
    cluster, run = session.cluster, session.run
    total, ready = len(cluster.instances), cluster.ready_count
    if total:
        text = integer(ready) if ready == total else f"{integer(ready)}/{integer(total)}"
        rail.button("cluster").set_badge(Badge(text, "muted" if ready == total else "warn"))
    else:
        rail.button("cluster").set_badge(Badge())
    latest = run.latest if run.cluster_alive else None
    users = integer(latest.users_connected) if latest is not None and latest.users_total else ""
    rail.button("users").set_badge(Badge(users))
    by_hand = session.pushes.total
    rail.button("push").set_badge(Badge(integer(by_hand) if by_hand else ""))
    lost = run.totals.lost
    rail.button("matrix").set_badge(Badge(integer(lost), "danger") if lost else Badge())


def _users(session: Session) -> Figure:
    latest = session.run.latest
    if latest is None or not latest.users_total:
        return Figure(NONE)
    full = latest.users_connected >= latest.users_total
    text = f"{integer(latest.users_connected)} / {integer(latest.users_total)}"
    return Figure(text, tone="text" if full or session.run.run != "running" else "warn")


def _latency(value: float | None) -> Figure:
    return Figure(millis(value), "ms" if value is not None else "")


def _count(value: int, measured: bool, tone: str) -> Figure:
    if not measured:
        return Figure(NONE)
    return Figure(integer(value), tone=tone if value else "text")
