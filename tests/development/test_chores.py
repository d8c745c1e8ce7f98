"""dev.py: what it says when something is wrong, and when it does its work again."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from development.chores import CHORES, run_chore
from development.environment import ROOT, ChoreError, dependencies, pip, run, stamp_of


def test_chores_are_listed() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "dev.py")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert all(f"\n  {name} " in done.stdout for name in CHORES)


def test_unknown_chore_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_chore(["nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().out


def test_old_python_can_read_dev_py_and_is_told_what_is_needed() -> None:
    path = ROOT / "dev.py"
    ast.parse(path.read_text("utf-8"), feature_version=(3, 6))
    code = (
        "import runpy, sys\n"
        "sys.version_info = (3, 9, 2, 'final', 0)\n"
        f"sys.argv = ['dev.py', 'test']\nrunpy.run_path({str(path)!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "needs Python 3.11 or newer; this is 3.9.2" in done.stderr


def test_failing_pip_is_told_with_its_last_words_and_what_to_do() -> None:
    with pytest.raises(ChoreError) as caught:
        pip(Path(sys.executable), ["install", "--no-index", "no-such-package-of-pushscope"])
    assert "No matching distribution found for no-such-package-of-pushscope" in str(caught.value)
    assert "next: " in str(caught.value)


def test_exit_code_of_a_command_comes_back() -> None:
    assert run([sys.executable, "-c", "raise SystemExit(11)"]) == 11


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to pass on")
def test_a_signal_is_passed_on_to_the_command(tmp_path: Path) -> None:
    child = f"import os, pathlib, time; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()));"
    parent = (
        "import sys; from development.environment import run;"
        f"sys.exit(run([sys.executable, '-c', {child + 'print(1, flush=True); time.sleep(60)'!r}]))"
    )
    with subprocess.Popen([sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_change_of_a_file_changes_the_stamp(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("a", "utf-8")
    first = stamp_of([file])
    assert stamp_of([file]) == first
    file.write_text("b", "utf-8")
    assert stamp_of([file]) != first


def test_base_dependencies_hold_no_toolkit_and_no_test_tool() -> None:
    base = " ".join(dependencies())
    assert "PySide6" not in base
    assert "pytest" not in base
    assert "pytest>=" in " ".join(dependencies("test"))


def test_what_takes_minutes_is_for_long_runs_alone() -> None:
    def chosen(*words: str) -> str:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/fuzz/test_roles.py", *words]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        ).stdout

    usual, long = chosen(), chosen("-m", "long")
    assert "test_a_role_under_attack[broker]" in usual and "for_long" not in usual
    assert "for_long[broker]" in long and "test_a_role_under_attack[broker]" not in long
