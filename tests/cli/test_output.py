"""The program's streams: a reader that leaves, a disk that is full, an interrupt that comes early."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.output import say
from core.launch import self_command

MAIN = Path(__file__).resolve().parents[2] / "main.py"
FULL = Path("/dev/full")

#: The program, interrupted as soon as it imports ``argv[1]``: Ctrl-C cannot come more precisely.
INTERRUPTED = """
import os, runpy, signal, sys
awaited, at, *words = sys.argv[1:]
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == awaited:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = [at, *words]
sys.path.insert(0, os.path.dirname(at))
runpy.run_path(at, run_name="__main__")
"""


def test_what_is_said_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b[2J\nb")
    say("c\x07", err=True)
    assert capsys.readouterr() == ("a\\x1b[2J\nb\n", "c\\x07\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_a_reader_that_leaves_changes_nothing() -> None:
    with subprocess.Popen(
        self_command("run", "--instances", "1", "--users", "2", "--rate", "20", "--duration", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith(b"broker")
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) in (0, 30), said  # 30: a busy machine
    assert said == b""


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [("--version",), ("--help",)])
def test_an_output_that_cannot_be_written_is_an_error(words: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            self_command(*words), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "pushscope: standard output could not be written: No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("module", ["cli.app", "typer", "core.errors", "cli.check", "core.engine.check"])
def test_an_early_interrupt_leaves_without_a_traceback(module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, module, str(MAIN), "check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (130, -signal.SIGINT), done
    assert "Traceback" not in done.stderr
