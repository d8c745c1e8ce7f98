"""report.html: one file without any reference to the outside, light and dark."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from ..cleaning import for_markup
from ..metrics import NOWHERE
from .buckets import METRICS, Axis, bucket
from .chart import LEFT, VIEW, WIDTH, Chart, colour, dash
from .figures import Cell, LostPush, SeriesSum
from .result import Result
from .summary import Summary

#: Style and script, in a checkout and in the wheel (``assets`` beside ``core``).
_ASSETS: Final = Path(__file__).resolve().parents[2] / "assets" / "report"

#: Lost pushes listed one by one; deliveries.csv has them all.
_LISTED: Final = 200

#: Columns of the matrix up to which something else fits beside it.
_BESIDE: Final = 5

_NONE: Final = "–"
_VERDICT_CLASS: Final = {"pass": "pass", "fail": "fail", "error": "fail"}


def render_html(result: Result) -> str:
    """The text of the file."""
    summary = result.summary
    name = for_markup(str(summary.scenario.get("name", "run")))
    axis = bucket(result.points, result.started_t)
    instances = _instances(result)
    start, end = _span(axis, result)
    chart = Chart(axis, instances, result.markers, result.started_t, start, end)
    sections = [
        _header(result, name),
        _numbers(summary),
        _latency(result, chart),
        f'<div class="{"pair" if len({cell.on for cell in summary.matrix}) <= _BESIDE else "stack"}">',
        _matrix(summary),
        _thresholds(summary),
        "</div>",
        _transports(result),
        _lost(result),
        _details(result),
        _footer(summary),
    ]
    style = (_ASSETS / "report.css").read_text(encoding="utf-8")
    script = (_ASSETS / "report.js").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}: {summary.result} · Pushscope</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(sections)
        + f'\n</main>\n<script type="application/json" id="points">{_points(axis, start, end)}</script>\n'
        + f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _instances(result: Result) -> list[str]:
    """All instances in their order: those that run, and those that pushes knew."""
    known = {str(each["id"]) for each in result.summary.environment.get("instances", ())}
    known |= {name for each in result.series for name in (each.series.partition(":")[2],) if name != NOWHERE}
    return sorted(known, key=lambda name: (len(name), name))


def _span(axis: Axis, result: Result) -> tuple[float, float]:
    """First and last second of the graph."""
    if not axis.times:
        return 0.0, max(1.0, result.ended_t - result.started_t)
    return min(0.0, axis.times[0]), axis.times[-1] + axis.width / 2


# ---- top --------------------------------------------------------------------------------------


def _header(result: Result, name: str) -> str:
    summary, scenario, environment = result.summary, result.summary.scenario, result.summary.environment
    at = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(result.started_at)) if result.started_at else ""
    facts = [
        at,
        f"{scenario['users']} users",
        f"{scenario['rate']:g} pushes/s for {scenario['duration']:g} s" if scenario["duration"] else "",
        f"{len(environment['instances'])} instances, {environment['strategy']}" if environment else "",
        f"broker {environment['broker']}" if environment else "",
        f"deliveries told apart by {scenario['correlation']}",
    ]
    verdict = _VERDICT_CLASS.get(summary.result, "warn")
    return (
        f'<header><div class="line"><h1>{name}</h1><span class="verdict {verdict}">{summary.result}</span>'
        f'<span class="brand">Pushscope</span></div><p class="reason">{for_markup(summary.reason)}</p>'
        f'<p class="facts">{" · ".join(for_markup(fact) for fact in facts if fact)}</p></header>'
    )


def _numbers(summary: Summary) -> str:
    latency = summary.latency_ms
    reach = _NONE if summary.reach is None else _number(summary.reach)
    cards = [
        _kpi("Reach", reach, "%", bad=summary.reach is not None and summary.reach < 100),
        _kpi("Delivered", _thousands(summary.delivered), f"of {_thousands(summary.expected)}"),
        _kpi("Lost", _thousands(summary.lost), bad=summary.lost > 0),
        _kpi("Duplicate", _thousands(summary.duplicate), bad=summary.duplicate > 0),
        _kpi("Misrouted", _thousands(summary.misrouted), bad=summary.misrouted > 0),
        _kpi("Reordered", _thousands(summary.reordered), bad=summary.reordered > 0),
        _kpi("Refused", _thousands(summary.refused), kind="warn" if summary.refused else ""),
        _kpi("p50", _ms(latency.p50), "ms"),
        _kpi("p99", _ms(latency.p99), "ms"),
    ]
    return f'<section class="card kpis" aria-label="Headline numbers">{"".join(cards)}</section>'


def _kpi(name: str, value: str, unit: str = "", *, bad: bool = False, kind: str = "") -> str:
    small = f"<small>{unit}</small>" if unit and value != _NONE else ""
    return f'<div class="kpi {"fail" if bad else kind}"><span>{name}</span><b>{value}{small}</b></div>'


# ---- latency ----------------------------------------------------------------------------------


def _latency(result: Result, chart: Chart) -> str:
    if not chart.axis.times:
        return (
            '<section class="card"><div class="head"><h2>Delivery latency</h2></div>'
            '<p class="none">Nothing was pushed, so there is no latency to show.</p></section>'
        )
    step = chart.axis.width
    picks = "".join(
        f'<input class="pick" type="radio" name="{group}" id="{key}"{" checked" if chosen else ""}>'
        for group, key, chosen in (
            ("by", "by-on", True),
            ("by", "by-via", False),
            ("metric", "m-p50", False),
            ("metric", "m-p95", False),
            ("metric", "m-p99", True),
        )
    )
    views = (
        '<div class="views"><span class="switch"><label for="by-on">connected on</label>'
        '<label for="by-via">pushed via</label></span><span class="switch"><label for="m-p50">p50</label>'
        '<label for="m-p95">p95</label><label for="m-p99">p99</label></span></div>'
    )
    return (
        f'<section class="card">{picks}<div class="head"><h2>Delivery latency by instance</h2>'
        f'<span class="note">counted from the intended sending, each point {step:g} s</span>{views}</div>'
        f'<div class="chart">{chart.svg()}</div>'
        f'<div class="legend scroll">{_legend(result, chart)}</div></section>'
    )


def _legend(result: Result, chart: Chart) -> str:
    sums = {each.series: each for each in result.series}
    bodies: list[str] = []
    for side in ("on", "via"):
        rows: list[str] = []
        for index, instance in enumerate(chart.instances):
            each = sums.get(f"{side}:{instance}")
            if each is None:
                continue
            rows.append(_legend_row(side, index, instance, each))
        nowhere = sums.get(f"{side}:{NOWHERE}")
        if nowhere is not None and nowhere.lost:
            rows.append(
                f'<tr><td>{side} nowhere <small class="facts">(reconnecting)</small></td>'
                f'{"<td></td>" * 6}<td class="fail">{nowhere.lost}</td></tr>'
            )
        bodies.append(f'<tbody class="{side}">{"".join(rows)}</tbody>')
    return (
        '<table><thead><tr><th>instance</th><th id="at">at pointer</th><th>p50 ms</th><th>p95 ms</th>'
        f"<th>p99 ms</th><th>max ms</th><th>delivered</th><th>lost</th></tr></thead>{''.join(bodies)}</table>"
    )


def _legend_row(side: str, index: int, instance: str, each: SeriesSum) -> str:
    stroke = f'stroke="{colour(index)}" stroke-dasharray="{dash(index)}"'
    swatch = f'<svg class="swatch" viewBox="0 0 22 8"><line x1="0" x2="22" y1="4" y2="4" {stroke}/></svg>'
    values = (each.latency.p50, each.latency.p95, each.latency.p99, each.latency.max)
    numbers = "".join(f"<td>{_ms(value)}</td>" for value in values)
    lost = f'<td class="fail">{each.lost}</td>' if each.lost else "<td>0</td>"
    return (
        f"<tr><td>{swatch}{side} {for_markup(instance)}</td>"
        f'<td data-series="{for_markup(each.series)}">{_NONE}</td>'
        f"{numbers}<td>{_thousands(each.count)}</td>{lost}</tr>"
    )


def _points(axis: Axis, start: float, end: float) -> str:
    """What the crosshair reads; ``<`` cannot end the script element early."""
    series = {name: {metric: lines.of(metric) for metric in METRICS} for name, lines in axis.series.items()}
    data = {
        "times": axis.times, "from": start, "to": end,
        "left": LEFT, "width": WIDTH, "view": VIEW, "series": series,
    }  # fmt: skip
    return msgspec.json.encode(data).decode().replace("<", "\\u003c")


# ---- matrix -----------------------------------------------------------------------------------


def _matrix(summary: Summary) -> str:
    cells = {(cell.via, cell.on): cell for cell in summary.matrix}
    if not cells:
        body = '<p class="none">No push was accepted.</p>'
    else:
        body = f'<div class="scroll">{_matrix_table(cells)}</div>'
    return (
        '<section class="card"><div class="head"><h2>Delivery matrix</h2>'
        '<span class="note">rows: pushed via · columns: connected on · p50 · p99</span></div>'
        f"{body}</section>"
    )


def _matrix_table(cells: dict[tuple[str, str], Cell]) -> str:
    rows, columns = _natural(via for via, _ in cells), _natural(on for _, on in cells)
    heads = "".join(f"<th>{_place(on)}</th>" for on in columns)
    lines = ""
    for via in rows:
        row = "".join(_cell(cells.get((via, on)), own=via == on) for on in columns)
        lines += f"<tr><th>via {for_markup(via)}</th>{row}</tr>"
    width = 72 + 100 * len(columns)
    head = f"<thead><tr><th></th>{heads}</tr></thead>"
    return f'<table class="matrix" style="min-width:{width}px">{head}<tbody>{lines}</tbody></table>'


def _cell(cell: Cell | None, *, own: bool) -> str:
    mark = " own" if own else ""
    if cell is None or not cell.pushed:
        return f'<td class="empty{mark}">no push</td>'
    share = 1 - cell.delivered / cell.pushed
    kind = "bad" if share else "good"
    numbers = f"{_thousands(cell.delivered)} of {_thousands(cell.pushed)}"
    latency = f"<br><small>{_ms(cell.p50)} · {_ms(cell.p99)} ms</small>" if cell.p50 is not None else ""
    sign = "✕" if share else "✓"
    reach = _number(100 * (1 - share))
    return (
        f'<td class="{kind}{mark}" style="--share:{share:.3f}"><b>{sign} {reach} %</b>'
        f"<small>{numbers}</small>{latency}</td>"
    )


# ---- transports ---------------------------------------------------------------------------------


def _transports(result: Result) -> str:
    """Only where users differ in them."""
    if not result.transports:
        return ""
    rows = "".join(
        f"<tr><td class=left>{for_markup(each.transport)}</td><td>{_thousands(each.users)}</td>"
        f"<td>{_thousands(each.delivered)}</td>"
        f"<td{' class=fail' if each.lost else ''}>{_thousands(each.lost)}</td>"
        f"<td>{_ms(each.latency.p50)}</td><td>{_ms(each.latency.p99)}</td></tr>"
        for each in result.transports
    )
    return (
        '<section class="card"><div class="head"><h2>Transports</h2>'
        '<span class="note">what users connect with</span></div>'
        "<table><thead><tr><th class=left>transport</th><th>users</th><th>delivered</th><th>lost</th>"
        f"<th>p50 ms</th><th>p99 ms</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


# ---- thresholds, lost, details ----------------------------------------------------------------


def _thresholds(summary: Summary) -> str:
    rules = "".join(
        _rule(f"{rule} == 0", str(number), number == 0)
        for rule in ("lost", "duplicate", "misrouted", "reordered")
        for number in (getattr(summary, rule),)
    )
    asked = "".join(
        _rule(each.expr, _NONE if each.value is None else _number(each.value), each.ok)
        for each in summary.thresholds
    )
    return (
        '<section class="card"><div class="head"><h2>Rules and thresholds</h2></div>'
        "<table><thead><tr><th>must hold</th><th>is</th><th></th></tr></thead>"
        f"<tbody>{rules}{asked}</tbody></table></section>"
    )


def _rule(expr: str, value: str, ok: bool) -> str:
    verdict = '<span class="pass">✓ holds</span>' if ok else '<span class="fail">✕ fails</span>'
    return f"<tr><td><code>{for_markup(expr)}</code></td><td>{value}</td><td>{verdict}</td></tr>"


def _lost(result: Result) -> str:
    lost = result.lost_pushes
    if not lost:
        return ""
    places = Counter(push.stage for push in lost)
    summary = " · ".join(f"{number} × {for_markup(stage)}" for stage, number in places.most_common(6))
    rows = "".join(_lost_row(push, result.started_t) for push in lost[:_LISTED])
    more = len(lost) - _LISTED
    tail = f'<p class="none">and {more} more in deliveries.csv</p>' if more > 0 else ""
    return (
        '<section class="card"><div class="head"><h2>Lost pushes</h2>'
        f'<span class="note">{summary}</span></div>'
        '<div class="scroll"><table><thead><tr><th>at s</th><th class=left>user</th><th>seq</th>'
        "<th class=left>via → on</th><th class=left>last seen</th><th class=left>id</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{tail}</section>"
    )


def _lost_row(push: LostPush, started_t: float) -> str:
    return (
        f"<tr><td>{push.t - started_t:.3f}</td><td class=left>{for_markup(push.user)}</td><td>{push.seq}</td>"
        f"<td class=left>{for_markup(push.via)} → {_place(push.on)}</td>"
        f"<td class='left wrap'>{for_markup(push.stage)}</td>"
        f"<td class=left><code>{for_markup(push.id)}</code></td></tr>"
    )


def _details(result: Result) -> str:
    summary = result.summary
    lag = summary.sender_lag_ms
    parts = {"environment": summary.environment, "scenario": summary.scenario, "versions": summary.versions}
    blocks = "".join(
        f"<details><summary>{name}</summary><pre class=mono>{for_markup(_pretty(value))}</pre></details>"
        for name, value in parts.items()
    )
    return (
        '<section class="card"><div class="head"><h2>The run itself</h2><span class="note">'
        f"sender lag p50 {_ms(lag.p50)} ms, p99 {_ms(lag.p99)} ms, max {_ms(lag.max)} ms · "
        f"{_thousands(summary.attempted)} attempted · {_thousands(summary.offline)} to users offline · "
        f"{_thousands(summary.late)} late · {_thousands(summary.unexpected)} unexpected</span></div>"
        f"{blocks}</section>"
    )


def _footer(summary: Summary) -> str:
    versions = summary.versions
    return (
        f"<footer>Pushscope {for_markup(versions['pushscope'])} on Python {for_markup(versions['python'])}, "
        f"{for_markup(versions['platform'])}</footer>"
    )


# ---- words and numbers ------------------------------------------------------------------------


def _place(on: str) -> str:
    """An instance, or what to call the lack of one."""
    return "nowhere" if on == NOWHERE else for_markup(on)


def _natural(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=lambda name: (name == NOWHERE, len(name), name))


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _ms(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 1000 else _thousands(round(value))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _thousands(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")
