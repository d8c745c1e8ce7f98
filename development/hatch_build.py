"""Build hook: the wheel holds one package, and the checkout answers to the same name.

In the checkout imports are flat (``from core.errors import …``), which every tool reads without a
setting. Installed for other people, top-level packages called ``core`` or ``server`` would clash with
theirs, so the wheel holds ``pushscope.core`` and so on: this hook prefixes our absolute imports while
building. An editable install gets an alias package instead, in which ``pushscope.core is core``.
"""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: The flat packages of the checkout.
PARTS = ("core", "server", "gui", "cli")
#: The one package that people install.
PACKAGE = "pushscope"


class ImportNotPrefixable(Exception):
    """An import that means something else, or nothing, once the packages lie inside ``pushscope``."""


def prefix_imports(source: str, file: str) -> str:
    """The same source with ``from core.x import y`` as ``from pushscope.core.x import y``.

    Only import statements change, wherever they stand; line numbers stay.

    Raises:
        ImportNotPrefixable: ``import core`` or ``import core.x`` without ``as``: it binds the name
            ``core``, and the prefixed statement would bind ``pushscope``.
    """
    lines = source.splitlines(keepends=True)
    # From the end, so that the columns of what is still to be changed stay right.
    for line, column in sorted(_places(ast.parse(source, file), file), reverse=True):
        raw = lines[line - 1].encode()
        before, after = raw[:column], raw[column:]
        if after.startswith(b"from "):
            words = after.removeprefix(b"from ").lstrip()
            changed = b"from " + PACKAGE.encode() + b"." + words
        else:
            changed = PACKAGE.encode() + b"." + after
        lines[line - 1] = (before + changed).decode()
    return "".join(lines)


def _places(tree: ast.Module, file: str) -> Iterator[tuple[int, int]]:
    """Line and byte column of every import statement, or imported name, that needs the prefix."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _is_ours(node.module or ""):
            yield node.lineno, node.col_offset
        elif isinstance(node, ast.Import):
            for name in node.names:
                if not _is_ours(name.name):
                    continue
                if name.asname is None:
                    raise ImportNotPrefixable(
                        f"{file}:{node.lineno}: 'import {name.name}' cannot be prefixed for the wheel:"
                        f" write 'from {name.name} import …' or 'import {name.name} as …'"
                    )
                yield name.lineno, name.col_offset


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in PARTS


class PushscopeBuildHook(BuildHookInterface[Any]):
    """Called by hatchling around each build (``[tool.hatch.build.targets.wheel.hooks.custom]``)."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the rewritten or generated files; ``version`` is ``standard`` or ``editable``."""
        self._temporary = tempfile.TemporaryDirectory(prefix="pushscope-build-")
        target = Path(self._temporary.name)
        if version == "editable":
            alias = Path(self.root) / "development"
            build_data["force_include_editable"] = {
                str(alias / "editable_init.py"): "__init__.py",
                str(alias / "editable_main.py"): "__main__.py",
            }
        else:
            build_data["force_include"].update(_rewrite(Path(self.root), target))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the rewritten copies; the wheel holds them now."""
        self._temporary.cleanup()


def _rewrite(root: Path, target: Path) -> dict[str, str]:
    """Write prefixed copies under ``target``; returns where each goes inside the package."""
    placed: dict[str, str] = {}
    for part in PARTS:
        for file in sorted((root / part).rglob("*.py")):
            name = file.relative_to(root).as_posix()
            placed[_write(target / name, prefix_imports(file.read_text("utf-8"), name))] = name
    start = prefix_imports((root / "main.py").read_text("utf-8"), "main.py")
    placed[_write(target / "__main__.py", start)] = "__main__.py"
    summary = '"""Pushscope: a bench for WebSocket push systems with several instances."""\n'
    placed[_write(target / "__init__.py", summary)] = "__init__.py"
    placed[_write(target / "py.typed", "")] = "py.typed"
    return placed


def _write(file: Path, text: str) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return str(file)
