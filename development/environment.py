"""The Python environment that the chores run in, made from a fresh clone. Standard library only."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: What people and editors expect; holds everything, the checkout installed editable.
VENV = ROOT / ".venv"
#: What our chores make for themselves; may be removed at any time.
CACHE = ROOT / ".cache"
#: Lines of pip's output that show a person that something is going on.
_PROGRESS = ("Downloading", "Building", "Installing", "Successfully")
_WIDTH = 100


class ChoreError(Exception):
    """A chore cannot go on; the message says why and what to do."""


def say(text: str) -> None:
    """A plain progress line, seen at once also where output is piped."""
    sys.stdout.write(f"dev.py: {text}\n")
    sys.stdout.flush()


def python_of(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure_environment() -> Path:
    """Make ``.venv`` with all extras if it is not there or pyproject.toml has changed.

    Returns:
        Its interpreter.

    Raises:
        ChoreError: venv or pip failed; the message holds pip's last lines.
    """
    build_files = [ROOT / "pyproject.toml", *sorted((ROOT / "development").glob("*_*.py"))]
    ensure_venv(VENV, ["-e", f"{ROOT}[gui,dev]"], stamp_of(build_files))
    return python_of(VENV)


def ensure_venv(venv: Path, install: Sequence[str], stamp: str) -> None:
    """Make a virtual environment and install into it, unless its stamp says that this was done."""
    stamp_file = venv / "pushscope-stamp"
    python = python_of(venv)
    if python.exists() and stamp_file.exists() and stamp_file.read_text("utf-8") == stamp:
        return
    if not _runs(python):
        say(f"making {_short(venv)} with Python {sys.version.split()[0]}")
        _make_venv(venv)
    say(f"installing what pyproject.toml asks for into {_short(venv)} (the first time takes a minute or two)")
    pip(python, ["install", *install])
    stamp_file.write_text(stamp, "utf-8")


def pip(python: Path, arguments: Sequence[str]) -> None:
    """Run pip in an environment, showing its progress as plain lines.

    Raises:
        ChoreError: pip failed.
    """
    command = [str(python), "-m", "pip", *arguments, "--disable-pip-version-check", "--progress-bar", "off"]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.lstrip().startswith(_PROGRESS):
                text = line.strip()
                say("  " + (text if len(text) <= _WIDTH else text[: _WIDTH - 2] + " …"))
    if process.returncode != 0:
        last = "\n".join("  | " + line for line in lines[-25:])
        raise ChoreError(
            f"pip ended with exit code {process.returncode}:\n{last}\n"
            f"tried: {' '.join(command)}\n"
            "next: see whether a package index is reachable from here (a proxy? pip config list), then run"
            " the same dev.py command again"
        )


def dependencies(*extras: str) -> list[str]:
    """The requirements of pyproject.toml: the base ones without arguments, else those of the extras."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    if not extras:
        return list(project["dependencies"])
    return [line for extra in extras for line in project["optional-dependencies"][extra]]


def stamp_of(files: Iterable[Path]) -> str:
    """What an environment was made from: this Python and the contents of these files."""
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def side_by_side() -> list[str]:
    """Words that make pytest run a whole suite in several processes; most tests wait most of the time.

    A file stays in one process, because its tests may share a broker or a cluster; files begin in their
    own order, because the longest ones (e2e) stand early in it.
    """
    processes = min(os.cpu_count() or 1, 8)  # more is faster, and too busy for runs that measure
    return ["-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"]


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> int:
    """Run a command in the project's folder and return its exit code (128 + n after signal n).

    Ctrl-C reaches the command from the terminal and ends it in its own way; a SIGTERM to us is
    passed on, so that nothing is left running behind a dev.py that was stopped.
    """
    sys.stdout.flush()
    with subprocess.Popen([str(word) for word in command], cwd=ROOT, env=environment) as process:

        def pass_on(number: int, frame: object) -> None:
            process.terminate()

        before = signal.signal(signal.SIGTERM, pass_on)
        try:
            code = _ended(process)
        finally:
            signal.signal(signal.SIGTERM, before)
    return code if code >= 0 else 128 - code


def _ended(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _make_venv(venv: Path) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise ChoreError(
            f"no virtual environment could be made in {venv}:\n{(done.stderr or done.stdout).strip()}\n"
            f"next, on Debian and Ubuntu: apt-get install -y python{version}-venv"
        )


def _runs(python: Path) -> bool:
    """Whether an environment's interpreter still starts and is the version that runs us."""
    if not python.exists():
        return False
    done = subprocess.run(
        [str(python), "-c", "import sys; print(sys.version)"],
        capture_output=True,
        text=True,
        errors="replace",
    )
    return done.returncode == 0 and done.stdout.strip() == sys.version.strip()


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
