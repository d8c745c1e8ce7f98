"""House rules that no other tool checks: size, names, docstrings, imports that the wheel can prefix."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from development.hatch_build import PARTS, prefix_imports

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (*PARTS, "tests", "development")
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.py"), *(file for name in FOLDERS for file in (ROOT / name).rglob("*.py")))
    if "node_modules" not in path.parts
)
#: What goes into the wheel.
SHIPPED = [name for name in SOURCES if name == "main.py" or name.partition("/")[0] in PARTS]

LINES_AT_MOST = 600
MAIN_LINES_AT_MOST = 60
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "misc"}
#: ``core.x``, ``server.x:app`` and so on: a module's name in a string, which the build hook does not see.
MODULE_NAME = re.compile(rf"({'|'.join(PARTS)})(\.[a-z_]\w*)+(:\w+)?")
DYNAMIC_IMPORTS = {"import_module", "__import__", "find_spec", "run_module", "reload"}


def source(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def trees(names: list[str]) -> Iterator[tuple[str, ast.Module]]:
    for name in names:
        yield name, ast.parse(source(name), name)


def test_modules_are_small() -> None:
    too_long = {name: count for name in SOURCES if (count := source(name).count("\n")) > LINES_AT_MOST}
    assert not too_long, "split these modules"


def test_main_only_joins() -> None:
    assert source("main.py").count("\n") <= MAIN_LINES_AT_MOST
    assert source("dev.py").count("\n") <= MAIN_LINES_AT_MOST


def test_names_say_something() -> None:
    vague = [name for name in SOURCES if VAGUE_NAMES & set(re.split(r"[/_.]", name))]
    assert not vague, "name these after what they do"


def test_every_test_folder_is_a_package() -> None:
    # Without them tests/core would be imported as core, and hide it.
    folders = {str(Path(name).parent) for name in SOURCES if name.startswith(("tests/", *PARTS))}
    missing = [folder for folder in sorted(folders) if not (ROOT / folder / "__init__.py").is_file()]
    assert not missing, "these folders need an __init__.py"


def test_documentation_of_modules() -> None:
    telling = [name for name in SOURCES if not (name.startswith("tests/") and name.endswith("/__init__.py"))]
    assert not [name for name, tree in trees(telling) if not ast.get_docstring(tree)]


def test_imports_can_be_prefixed() -> None:
    for name in SHIPPED:
        prefix_imports(source(name), name)


@pytest.mark.parametrize("part", PARTS)
def test_imports_inside_a_part_are_relative(part: str) -> None:
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in trees([name for name in SHIPPED if name.startswith(part + "/")])
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.level == 0
        and (node.module or "").partition(".")[0] == part
    ]
    assert not wrong, f"write these relative: from ..x import y, not from {part}.x"


def test_no_module_names_in_strings() -> None:
    # The wheel's module is pushscope.core.x; a string such as import_module("core.x") would miss it.
    wrong = [
        f"{name}:{node.lineno}: {node.value}"
        for name, tree in trees(SHIPPED)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _names_a_module(node.value)
    ]
    assert not wrong, "pass the object, or a relative import"


def _names_a_module(text: str) -> bool:
    if not MODULE_NAME.fullmatch(text):
        return False
    path = ROOT.joinpath(*text.partition(":")[0].split("."))
    return path.is_dir() or path.with_suffix(".py").is_file() or path.parent.with_suffix(".py").is_file()


def test_no_dynamic_imports() -> None:
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in trees(SHIPPED)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _called(node) in DYNAMIC_IMPORTS
    ]
    assert not wrong, "import with a statement, lazily inside the function if need be"


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_no_bare_tasks() -> None:
    # A task that nobody holds is collected while it runs, and its error is never seen
    # (docs/contributing.md §3, rule 12).
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in trees(SHIPPED)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and _called(node.value) in {"create_task", "ensure_future"}
        and not _of_a_group(node.value)
    ]
    assert not wrong, "use a TaskGroup, or keep the task"


def _of_a_group(node: ast.Call) -> bool:
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return "group" in name or "tasks" in name


def test_nothing_is_raised_out_of_a_group_s_handler() -> None:
    # Up to Python 3.11.3 (Debian 12 has 3.11.2) what "except*" raises comes wrapped in a group.
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in trees(SHIPPED)
        for group in ast.walk(tree)
        if isinstance(group, ast.TryStar)
        for handler in group.handlers
        for node in ast.walk(handler)
        if isinstance(node, ast.Raise)
    ]
    assert not wrong, "catch the ExceptionGroup with a plain except, and raise out of that"


def test_one_place_has_words_for_exceptions() -> None:
    # ``strerror`` is None and ``str(error)`` is empty for many: core.reasons has words for all.
    elsewhere = [name for name in SHIPPED if name != "core/reasons.py" and ".strerror" in source(name)]
    assert not elsewhere, "say reason_of(error)"


def test_the_window_takes_no_text_for_html() -> None:
    # Qt does where nothing else is said: labels and tips are made by gui.plain.
    rich = re.compile(r"\b(QLabel|setToolTip|setWhatsThis|setHtml|appendHtml|showText)\(|QMessageBox")
    window = [name for name in SHIPPED if name.startswith("gui/") and name != "gui/plain.py"]
    found = [name for name in window if rich.search(source(name))]
    assert not found, "make labels and tips by gui.plain"


def test_translated_texts_are_constants() -> None:
    # An f-string never matches the translation file's source text.
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in trees([name for name in SHIPPED if name.startswith("gui/")])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _called(node) in {"tr", "translate"}
        and any(isinstance(argument, ast.JoinedStr) for argument in node.args)
    ]
    assert not wrong, "write tr('… {name}').format(name=…)"


def test_nothing_is_left_for_later() -> None:
    pattern = re.compile(r"\b(TODO|FIXME|XXX|raise NotImplementedError)\b")
    assert not [name for name in SHIPPED if pattern.search(source(name))]
