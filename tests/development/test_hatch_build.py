"""Prefixing of imports, and the alias package of an editable install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from development.hatch_build import ImportNotPrefixable, prefix_imports


@pytest.mark.parametrize(
    ("source", "prefixed"),
    [
        ("from core import run\n", "from pushscope.core import run\n"),
        ("from core.errors import A, B\n", "from pushscope.core.errors import A, B\n"),
        ("from server.x import (\n    a,\n)\n", "from pushscope.server.x import (\n    a,\n)\n"),
        ("def f():\n    from gui.app import g\n", "def f():\n    from pushscope.gui.app import g\n"),
        ("x = 'é'; from cli.app import run\n", "x = 'é'; from pushscope.cli.app import run\n"),
        ("import os, core.errors as e\n", "import os, pushscope.core.errors as e\n"),
        ("import core.a as a, core.b as b\n", "import pushscope.core.a as a, pushscope.core.b as b\n"),
    ],
)
def test_our_absolute_imports_get_the_prefix(source: str, prefixed: str) -> None:
    assert prefix_imports(source, "x.py") == prefixed


@pytest.mark.parametrize(
    "source",
    [
        "from .core import run\n",
        "from . import core\n",
        "from corelib import x\n",
        "from other.core import x\n",
        "import os.path\n",
        "text = 'from core import run'\n",
        '"""\nfrom core import run\n"""\n',
    ],
)
def test_everything_else_stays(source: str) -> None:
    assert prefix_imports(source, "x.py") == source


@pytest.mark.parametrize("source", ["import core\n", "import core.errors\n", "import os, server.hub\n"])
def test_an_import_that_binds_a_bare_name_fails_the_build(source: str) -> None:
    with pytest.raises(ImportNotPrefixable, match=r"x\.py:1: 'import (core|server)"):
        prefix_imports(source, "x.py")


def in_elsewhere(code: str, folder: Path) -> str:
    """Run code with this interpreter in another folder; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_editable_install_has_both_names_for_one_module(tmp_path: Path) -> None:
    in_elsewhere(
        "import pushscope.core.errors, core.errors, core\n"
        "from pushscope.core.errors import PushscopeError\n"
        "from pushscope import core as other\n"
        "assert other is core\n"
        "assert pushscope.core.errors is core.errors\n"
        "assert core.errors.__spec__.name == core.errors.__name__ == 'core.errors'\n",
        tmp_path,
    )


def test_editable_install_names_a_missing_module_as_asked(tmp_path: Path) -> None:
    message = in_elsewhere(
        "try:\n    import pushscope.core.nothing\nexcept ModuleNotFoundError as error:\n    print(error)\n",
        tmp_path,
    )
    assert message.strip() == "No module named 'pushscope.core.nothing'"


def test_editable_command_and_module_run(tmp_path: Path) -> None:
    for command in (
        [sys.executable, "-m", "pushscope"],
        [str(Path(sys.executable).with_name("pushscope"))],
    ):
        done = subprocess.run(
            [*command, "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout.startswith("pushscope "), done.stderr
