"""How we start ourselves: from a checkout, from the wheel, from a frozen program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import launch
from core.launch import self_command
from core.version import VERSION


def test_from_a_checkout_wherever_we_are(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("raise SystemExit('somebody else')")
    done = subprocess.run(
        self_command("--version"), cwd=tmp_path, capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.split() == ["pushscope", VERSION]


def test_from_the_wheel(tmp_path: Path) -> None:
    """There main.py is ``__main__.py``, and its own folder must not be on the path."""
    package = tmp_path / "pushscope"
    (package / "core").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "core" / "__init__.py").touch()
    (package / "core" / "launch.py").write_text(Path(launch.__file__).read_text())
    (package / "__main__.py").write_text(
        "import pathlib, sys\n"
        "own = pathlib.Path(__file__).parent\n"
        "print(*sys.argv[1:], own in map(pathlib.Path, sys.path))\n"
    )
    script = "from pushscope.core.launch import self_command; print(*self_command('a', 'b'), sep='\\n')"
    command = _run([sys.executable, "-P", "-c", script], tmp_path).splitlines()
    assert command[-2:] == ["a", "b"]
    assert _run(command, tmp_path).split() == ["a", "b", "False"]


def test_from_a_frozen_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert self_command("serve") == [sys.executable, "serve"]


def _run(command: list[str], site: Path) -> str:
    """Output of a command, from a folder with a core of its own, with ``site`` as site-packages."""
    done = subprocess.run(
        command,
        cwd=site / "pushscope",
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
