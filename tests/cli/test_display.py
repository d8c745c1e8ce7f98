"""Why no window can open, in words."""

from __future__ import annotations

import sys

import pytest

from cli.display import display_problem, explain, require_display
from cli.packages import SYSTEM_NEEDS, find_program, install_line
from core.errors import UsageError
from tests.support.requirements import requires


@pytest.mark.parametrize(
    ("output", "reason", "mend"),
    [
        ("ModuleNotFoundError: No module named 'PySide6'", "PySide6", "pip install 'pushscope[gui]'"),
        (
            "ImportError: libEGL.so.1: cannot open shared object file: No such file or directory",
            "libEGL.so.1",
            "libegl1",
        ),
        (
            "cannot load: (libxcb-icccm.so.4: cannot open shared object file: No such file)\n"
            'qt.qpa.plugin: Could not load the Qt platform plugin "xcb" in "" even though it was found.',
            "libxcb-icccm.so.4",
            "libxcb-icccm4",
        ),
        ("qt.qpa.xcb: could not connect to display :77", "nothing answers at the display", ""),
        ("something else\n\n", "something else", ""),
        ("", "no reason", ""),
    ],
)
def test_qt_s_last_words_are_explained(output: str, reason: str, mend: str) -> None:
    problem = explain(output)
    assert reason in problem.reason
    assert mend in problem.mend
    assert bool(mend) == bool(problem.mend)


def test_libraries_that_do_not_load_are_named_even_if_qt_does_not() -> None:
    problem = explain("Available platform plugins are: xcb.", ["libxcb-cursor.so.0"])
    assert "libxcb-cursor.so.0" in problem.reason
    assert "apt-get install -y" in problem.mend


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_display_nothing_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    problem = display_problem("/no/such/python")
    assert problem is not None
    assert "DISPLAY" in problem.reason


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_display_the_ways_without_a_window_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="no display") as caught:
        require_display()
    assert "pushscope demo --headless" in caught.value.hint


@requires("qt")
def test_offscreen_a_window_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PySide6")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert display_problem() is None


def test_needs_name_what_is_missing_and_how_to_get_it() -> None:
    assert all(need.packages for need in SYSTEM_NEEDS.values())
    assert all(need.programs or need.libraries for need in SYSTEM_NEEDS.values())
    assert find_program("no-such-program-anywhere") is None
    assert install_line(["a", "b"]).endswith("apt-get install -y a b")
