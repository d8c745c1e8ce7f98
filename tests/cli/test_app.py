"""The frame of the command line: what is loaded, and what becomes of errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.app import COMMANDS, Command, run
from core.errors import PortTakenError, TargetUnreachable, UsageError

DISPLAY_VARIABLES = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
MAIN = Path(__file__).resolve().parents[2] / "main.py"


def exit_code(function: Callable[[], int | None]) -> object:
    """The exit code of a command that does this."""

    def load() -> Callable[[], int | None]:
        return function

    with pytest.raises(SystemExit) as ended:
        run(["it"], {"it": Command(load)})
    return ended.value.code or 0


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize("code", [0, 11, 30])
def test_a_command_s_result_is_the_exit_code(code: int) -> None:
    def command() -> int:
        return code

    assert exit_code(command) == code


def test_our_errors_are_told_with_what_was_tried_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(raising(PortTakenError(8080))) == 21
    out, err = capsys.readouterr()
    assert out == ""
    assert "port 8080" in err
    assert "tried: listen on 127.0.0.1:8080" in err
    assert "next: " in err


def test_interrupt_is_130() -> None:
    assert exit_code(raising(KeyboardInterrupt())) == 130


def test_strongest_of_a_group_of_ours_wins(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("all", [TargetUnreachable("nobody"), ExceptionGroup("in", [UsageError("bad")])])
    assert exit_code(raising(group)) == 2
    err = capsys.readouterr().err
    assert "nobody" in err
    assert "bad" in err


def test_interrupt_in_a_group_is_130() -> None:
    assert exit_code(raising(BaseExceptionGroup("all", [KeyboardInterrupt(), UsageError("x")]))) == 130


def test_what_is_unforeseen_keeps_its_traceback() -> None:
    def load() -> Callable[[], None]:
        return raising(ExceptionGroup("all", [UsageError("x"), ZeroDivisionError()]))

    with pytest.raises(ExceptionGroup):
        run(["it"], {"it": Command(load)})


def main(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MAIN), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_unknown_command_is_bad_usage() -> None:
    done = main("nonsense")
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_unknown_option_is_bad_usage() -> None:
    assert main("doctor", "--nonsense").returncode == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_command_and_display_the_other_ways_are_named() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in DISPLAY_VARIABLES}
    done = subprocess.run(
        [sys.executable, str(MAIN)], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 2
    assert "no display" in done.stderr
    assert "pushscope demo --headless" in done.stderr


def test_help_names_every_command_that_is_for_people() -> None:
    words = set(main("--help").stdout.split())
    assert {name for name, command in COMMANDS.items() if not command.hidden} <= words
    assert not {name for name, command in COMMANDS.items() if command.hidden} & words


def test_every_command_has_help() -> None:
    for name, command in COMMANDS.items():
        assert command.load().__doc__, name


def test_version_and_help_load_nothing_heavy() -> None:
    code = (
        f"import sys; sys.argv = ['pushscope', *sys.argv[2:]]; sys.path.insert(0, {str(MAIN.parent)!r})\n"
        "from main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit(', '.join({'numpy', 'aiohttp', 'PySide6', 'uvicorn', 'websockets'} & set(sys.modules)))"
    )
    for word in ("--version", "--help"):
        done = subprocess.run(
            [sys.executable, "-c", code, "", word], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stderr.strip() == "", word
