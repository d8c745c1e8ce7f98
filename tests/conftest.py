"""Settings of every test run: where Qt is missing, and where no test may skip."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.activemq import activemq
from tests.support.rabbitmq import rabbitmq, rabbitmq_node

__all__ = ["activemq", "rabbitmq", "rabbitmq_node"]  # fixtures for all

# The same examples in every run, and as much time as a busy machine takes for one; for new ones:
# pytest --hypothesis-profile=explore tests/properties tests/fuzz
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def no_failed_background_task() -> Iterator[None]:
    """Fail a test whose background tasks failed, as it fails when it raises itself."""
    failures: list[str] = []

    class Failures(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            failures.append(record.getMessage())

    handler = Failures()
    logger = logging.getLogger("pushscope.tasks")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    if failures:
        pytest.fail("; ".join(failures))


#: pytest-qt's settings in pyproject.toml; unknown to pytest where that plugin is not loaded.
_QT_SETTINGS = ("qt_api", "qt_log_level_fail")
_WINDOW = Path(__file__).parent / "gui"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare pytest-qt's settings where the plugin is absent: core and server are tested without Qt."""
    if not pluginmanager.has_plugin("pytest-qt"):
        for name in _QT_SETTINGS:
            parser.addini(name, "a setting of pytest-qt, which is not here")


def pytest_configure(config: pytest.Config) -> None:
    """Join the plugins that a run needs."""
    config.pluginmanager.register(_LeftOut(bool(os.environ.get("PUSHSCOPE_NO_SKIP"))), "pushscope-left-out")


class _LeftOut:
    """Counts what did not run; fails the run for it when ``strict`` (PUSHSCOPE_NO_SKIP)."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._skipped: list[str] = []
        self._window = False

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave out the window's tests where Qt does not start."""
        if config.pluginmanager.has_plugin("pytest-qt") or not collection_path.is_relative_to(_WINDOW):
            return None
        # pytest looks at the neighbours of what it was asked for, too.
        asked = (config.invocation_params.dir / word.partition("::")[0] for word in config.args)
        self._window = self._window or any(
            _WINDOW.is_relative_to(path) or path.is_relative_to(_WINDOW) for path in asked
        )
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test; an expected failure counts as skipped for pytest, not here."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that skipped as a whole."""
        if report.skipped:
            self._skipped.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Turn success into failure when something was left out that must not be."""
        if self._strict and (self._skipped or self._window) and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was left out."""
        if self._window:
            terminalreporter.write_line(
                "The window's tests (tests/gui) were left out: Qt does not start here."
            )
        if self._strict and self._skipped:
            terminalreporter.write_line(f"FAILED: {len(self._skipped)} skipped, and here none may skip.")
