"""Where everything is installed, a skipped test fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = "import pytest\n@pytest.mark.skip(reason='for the test')\ndef test_it(): pass\n"
SKIPPED_MODULE = "import pytest\npytest.skip('for the test', allow_module_level=True)\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"
PASSED = "\ndef test_other(): pass\n"


def run(folder: Path, source: str, no_skip: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source, "utf-8")
    environment = {**os.environ, "PUSHSCOPE_NO_SKIP": no_skip, "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.conftest",
        "-c",
        os.devnull,
        "--rootdir",
        ".",
    ]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("source", [SKIPPED + PASSED, SKIPPED_MODULE], ids=["test", "module"])
def test_a_skip_fails_the_run_when_none_may_skip(tmp_path: Path, source: str) -> None:
    done = run(tmp_path, source, "1")
    assert done.returncode != 0
    assert "1 skipped, and here none may skip" in done.stdout


def test_a_skip_is_fine_otherwise(tmp_path: Path) -> None:
    assert run(tmp_path, SKIPPED + PASSED, "").returncode == 0


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    assert run(tmp_path, EXPECTED_FAILURE, "1").returncode == 0
