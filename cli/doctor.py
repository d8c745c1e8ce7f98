"""``pushscope doctor``: what works here, what is missing, and the command that mends it."""

from __future__ import annotations

import platform
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated, Literal

import typer

from core.cleaning import clean_text
from core.errors import ExitCode
from core.files_limit import files_limit, raise_files_limit
from core.version import VERSION

from .display import display_problem, qt_problem
from .packages import find_program

#: The article's ports, which ``serve`` takes when they are free.
DEFAULT_PORTS = {7000: "gateway", 8080: "i1", 8081: "i2", 8761: "discovery"}
#: Where a broker of somebody's own usually listens.
BROKER_PORTS = {61613: "STOMP", 5672: "AMQP", 15674: "Web-STOMP"}
#: A gateway holds two connections for each user; below this, big crowds fail.
ROOMY_FILES = 65_536

Verdict = Literal["works", "note", "missing"]
_MARKS: dict[Verdict, str] = {"works": "✓", "note": "–", "missing": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        name: What was looked at.
        verdict: ``note`` is something optional that is not here, or worth knowing.
        detail: What was found.
        mend: The command or setting that mends it.
        essential: Without it no cluster runs here.
    """

    name: str
    verdict: Verdict
    detail: str
    mend: str = ""
    essential: bool = False


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, for programs.")] = False,
) -> int:
    """Say what works on this machine and what is missing, with the command that mends it.

    Exits with 21 when no cluster can run here, else with 0.
    """
    findings = list(examine())
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(findings).decode())
    else:
        _print(findings)
    broken = any(finding.essential and finding.verdict == "missing" for finding in findings)
    return ExitCode.CLUSTER if broken else ExitCode.PASS


def examine(ports: Mapping[int, str] = DEFAULT_PORTS) -> Iterator[Finding]:
    """Look at everything; nothing is changed and nothing stays open."""
    yield Finding("pushscope", "works", VERSION)
    yield _python()
    yield from _requirements()
    yield _window()
    yield _open_files()
    yield from _ports(ports)
    yield _uvloop()
    yield _broker()
    yield _node()


def _python() -> Finding:
    version = platform.python_version()
    detail = f"{version} ({sys.executable}) on {platform.platform(terse=True)}"
    return Finding("Python", "works", detail)


def _requirements() -> Iterator[Finding]:
    """Our distribution's requirements, as its metadata names them; the window's apart."""
    try:
        lines = metadata.requires("pushscope") or []
    except metadata.PackageNotFoundError:
        yield Finding(
            "packages", "note", "this checkout is not installed, so nothing is known", "python3 dev.py run"
        )
        return
    base = [line for line in lines if "extra ==" not in line]
    absent = sorted({name for line in base if _applies(line) and not _version(name := _name(line))})
    if absent:
        mend = f"{sys.executable} -m pip install {' '.join(absent)}"
        yield Finding("packages", "missing", f"not installed: {', '.join(absent)}", mend, essential=True)
    else:
        yield Finding("packages", "works", f"all {len(base)} that a cluster needs")


def _applies(requirement: str) -> bool:
    return not (sys.platform == "win32" and "sys_platform != 'win32'" in requirement.replace('"', "'"))


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return found[0] if found else requirement


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _window() -> Finding:
    toolkit = qt_problem(platform="offscreen")
    if toolkit is not None:
        return Finding("window", "note", f"cannot open: {toolkit.reason}", toolkit.mend)
    problem = display_problem()
    if problem is not None:
        detail = f"cannot open: {problem.reason}; everything else works without it"
        return Finding("window", "note", detail, problem.mend)
    return Finding("window", "works", f"PySide6 {_version('PySide6_Essentials') or _version('PySide6')}")


def _open_files() -> Finding:
    raise_files_limit()
    limit = files_limit()
    if limit is None:
        return Finding("open files", "works", "no limit of the process")
    users = (limit.soft - 200) // 2
    if limit.soft >= ROOMY_FILES:
        return Finding("open files", "works", f"{limit.soft:,} a process")
    detail = f"{limit.soft:,} a process at most: about {users:,} users through one gateway"
    if limit.soft < limit.hard:
        return Finding("open files", "note", detail, "ulimit -n unlimited")
    mend = (
        "as administrator: ulimit -Hn 1048576 in the shell that starts Pushscope, for good a line"
        " '* hard nofile 1048576' in /etc/security/limits.conf; in a container --ulimit nofile=1048576"
    )
    return Finding("open files", "note", detail, mend)


def _ports(ports: Mapping[int, str]) -> Iterator[Finding]:
    refusal = _refused(0)
    if refusal:
        detail = f"cannot listen on 127.0.0.1: {refusal}"
        yield Finding("loopback", "missing", detail, "ip link set lo up", essential=True)
        return
    taken = [f"{port} ({role})" for port, role in ports.items() if _refused(port)]
    if taken:
        detail = f"taken: {', '.join(taken)}; serve uses free ones instead and says which"
        yield Finding("default ports", "note", detail)
    else:
        yield Finding("default ports", "works", f"free: {', '.join(map(str, ports))}")


def _refused(port: int) -> str:
    """Why nobody could listen on this loopback port now; empty when one could."""
    from core.reasons import reason_of

    with socket.socket() as listener:
        if sys.platform != "win32":  # there it would share the port with whoever has it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            return reason_of(error)
    return ""


def _uvloop() -> Finding:
    if sys.platform == "win32":
        return Finding("uvloop", "note", "does not exist for Windows; asyncio's own loop is used")
    version = _version("uvloop")
    if version:
        return Finding("uvloop", "works", version)
    mend = f"{sys.executable} -m pip install uvloop"
    return Finding("uvloop", "note", "not installed: asyncio's own loop is used, which is slower", mend)


def _broker() -> Finding:
    found = [f"{what} on {port}" for port, what in BROKER_PORTS.items() if _answers(port)]
    if found:
        url = "stomp://guest:guest@127.0.0.1:61613/"
        return Finding("broker of your own", "works", f"{', '.join(found)}; use it with --broker {url}")
    if find_program("rabbitmqctl"):
        detail = "RabbitMQ is installed, but listens neither for STOMP nor for AMQP"
        mend = "rabbitmq-plugins enable rabbitmq_stomp && rabbitmq-server -detached"
        return Finding("broker of your own", "note", detail, mend)
    return Finding(
        "broker of your own", "note", "none answers on 127.0.0.1; not needed, there is one built in"
    )


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def _node() -> Finding:
    node = find_program("node")
    if node:
        return Finding("Node", "works", f"{node}; only our own tests use it")
    return Finding("Node", "note", "not installed; only our own tests use it")


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles: dict[Verdict, str] = {"works": "green", "note": "yellow", "missing": "red"}
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        detail = Text(clean_text(finding.detail))
        if finding.mend:
            detail.append(f"\nto mend it: {clean_text(finding.mend)}", style="bold")
        mark = Text(_MARKS[finding.verdict], style=styles[finding.verdict])
        table.add_row(mark, Text(finding.name), detail)
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
