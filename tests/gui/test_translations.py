"""Both languages are complete, fresh, and fit their texts."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QLocale
from PySide6.QtWidgets import QApplication

from gui.i18n import TRANSLATIONS, Languages, resolve
from gui.window import MainWindow

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "gui").rglob("*.py"))
UPDATE = ("-locations", "none", "-no-obsolete")
HOW = (
    "run pyside6-lupdate gui/**/*.py -locations none -no-obsolete -ts FILE.ts, "
    "translate what is unfinished, run pyside6-lrelease FILE.ts"
)


def tool(name: str) -> str:
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else (shutil.which(name) or name)


def messages(path: Path) -> dict[tuple[str, str], ET.Element]:
    tree = ET.parse(path)
    found: dict[tuple[str, str], ET.Element] = {}
    for context in tree.iter("context"):
        for message in context.iter("message"):
            key = (context.findtext("name") or "", message.findtext("source") or "")
            found[key] = message
    return found


@pytest.mark.parametrize(("language", "extra"), [("zh_CN", ()), ("en", ("-pluralonly",))])
def test_nothing_is_missing_obsolete_or_unfinished(
    tmp_path: Path, language: str, extra: tuple[str, ...]
) -> None:
    kept = TRANSLATIONS / f"pushscope_{language}.ts"
    fresh = tmp_path / kept.name
    shutil.copy(kept, fresh)
    command = [tool("pyside6-lupdate"), *SOURCES, *UPDATE, *extra, "-ts", str(fresh)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    updated, present = messages(fresh), messages(kept)
    assert set(updated) == set(present), HOW
    states = {key: message.find("translation") for key, message in updated.items()}
    unfinished = [key for key, node in states.items() if node is None or node.get("type") is not None]
    assert not unfinished, HOW


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_the_compiled_file_is_fresh(tmp_path: Path, language: str) -> None:
    compiled = tmp_path / "out.qm"
    source = TRANSLATIONS / f"pushscope_{language}.ts"
    command = [tool("pyside6-lrelease"), str(source), "-qm", str(compiled)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert compiled.read_bytes() == source.with_suffix(".qm").read_bytes(), HOW


def test_translations_keep_every_placeholder() -> None:
    fields = re.compile(r"\{\w*\}|%n")
    for (context, source), message in messages(TRANSLATIONS / "pushscope_zh_CN.ts").items():
        node = message.find("translation")
        assert node is not None
        text = "".join(node.itertext())
        assert sorted(fields.findall(source)) == sorted(fields.findall(text)), (context, source)


def test_texts_are_literals() -> None:
    """An f-string or a variable in tr() is never found at run time."""
    wrong: list[str] = []
    for name in SOURCES:
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "tr":
                first = node.args[0]
                if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                    wrong.append(f"{name}:{node.lineno}")
    assert not wrong


def test_the_language_of_the_system_is_taken_if_we_have_it(app: QApplication) -> None:
    assert resolve("system", QLocale("zh_TW")) == "zh_CN"
    assert resolve("system", QLocale("de_DE")) == "en"
    assert resolve("en", QLocale("zh_CN")) == "en"


def test_switching_is_live_and_complete(window: MainWindow, languages: Languages) -> None:
    languages.set_language("zh_CN")
    QApplication.processEvents()
    assert window.rail.button("latency").text() == "延迟"
    assert window.topbar.action.text() == "开始"
    assert window.strip.tile("lost").text() == "丢失"
    assert window.actions_.action("quit").text().startswith("退出")
    assert QCoreApplication.translate("QPlatformTheme", "Cancel") == "取消"
    languages.set_language("en")
    QApplication.processEvents()
    assert window.rail.button("latency").text() == "Latency"
    assert "3 instances" in window.topbar.environment_text
