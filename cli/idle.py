"""``pushscope check --idle``: who cuts a silent connection, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.errors import ExitCode, TargetUnreachable
from core.redaction import without_tokens

from .output import say

if TYPE_CHECKING:
    from core.engine.idle import IdleFinding, IdleKind
    from core.environment import Environment

_NAMES = {"silent": "no heart-beats", "stomp": "STOMP heart-beats", "sockjs": "SockJS heart-beats"}


async def run_idle(environment: Environment, seconds: float, heartbeat_ms: int) -> int:
    """Start the environment, hold connections, tell who cut them; the exit code."""
    from core.engine.idle import check_idle

    def show(finding: IdleFinding) -> None:
        say(f"{_NAMES[finding.kind]:<20}{fared(finding, heartbeat_ms)}")

    await environment.start(lambda step: None)
    try:
        info = environment.describe()
        say(f"nothing is said for {seconds:g} s through {without_tokens(info.gateway_url)}")
        findings = await check_idle(info, seconds, heartbeat_ms=heartbeat_ms, show=show)
        if lost := any(finding.lost for finding in findings.values()):
            await require_there(info.websocket_url)
    finally:
        await environment.stop()
    for line in verdict(findings, seconds):
        say(line)
    return ExitCode.DELIVERY if lost else ExitCode.PASS


async def require_there(url: str) -> None:
    """Who has ended meanwhile has cut every connection, whether it was silent or not."""
    from core.attached import reach

    try:
        await reach(url)
    except TargetUnreachable as error:
        raise TargetUnreachable(
            f"it has ended meanwhile, which says nothing about silence: {error}",
            tried=error.tried,
            hint="start it again, then check again",
        ) from error


def fared(finding: IdleFinding, asked_ms: int = 10_000) -> str:
    """How one connection fared; ``asked_ms`` is what ours wanted of STOMP's heart-beats."""
    after = f"after {finding.seconds:.1f} s"
    close = finding.close
    match finding.fate:
        case "alive":
            words = f"alive {after}"
        case "closed":
            assert close is not None
            words = f"closed {after} with {close.code} {close.reason}".rstrip()
        case "cut":
            words = f"cut {after} without a close frame (1006)"
        case "dead":
            words = f"dead {after}: nobody said that it ended, and nobody answers any more"
        case "refused":
            words = f"not there: {close.reason if close is not None else ''}"
    if finding.kind == "stomp":
        words += f"; the server offers heart-beat:{finding.heartbeat}, {_agreed(finding.heartbeat, asked_ms)}"
    return words


def _agreed(offered: str, asked_ms: int) -> str:
    """What comes of both ends' wishes: in each direction the slower one, or none (STOMP 1.2)."""
    rates = [max(int(rate), asked_ms) for rate in offered.split(",") if rate.strip().isdigit() and int(rate)]
    return f"so one goes every {min(rates) / 1000:g} s" if rates else "so none go"


def verdict(findings: Mapping[IdleKind, IdleFinding], seconds: float) -> list[str]:
    """The cut-off, its probable cause, and what to do next."""
    lost = [finding for finding in findings.values() if finding.lost]
    if not lost:
        return [f"passed: nobody cuts a connection that is silent for {seconds:g} s"]
    first = findings["silent"] if findings["silent"].lost else lost[0]
    limit = f"{first.seconds:.1f} s"
    alive = [_NAMES[kind] for kind, each in findings.items() if each.fate == "alive" and kind != "silent"]
    return [f"the cut-off: {limit} of silence", f"by whom: {_by_whom(first)}", _next(alive, limit)]


def _by_whom(finding: IdleFinding) -> str:
    if finding.fate == "closed":
        return "the server, or a gateway that speaks WebSocket: it sent a close frame"
    if finding.fate == "dead":
        return "something between that forgets silent connections (NAT, firewall, load balancer)"
    return (
        "something between client and instance, probably the route's idle_timeout (a proxy's read time-out)"
    )


def _next(alive: list[str], limit: str) -> str:
    if alive:
        return f"next: {' or '.join(alive)} keep it alive: use them, at intervals well below {limit}"
    return (
        f"next: heart-beats at intervals well below {limit}, on client and server "
        "(--heartbeat MS tries them; SockJS servers have a setting), or a longer time-out there"
    )
