"""The READMEs and the pages of docs/ for users say what is there: commands, exit codes, links, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.app import COMMANDS
from core.errors import ExitCode
from development.chores import CHORES

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("command-line.md", "measuring.md", "deployment.md", "embedding.md")
#: In each language: the README, then its pages.
LANGUAGES = {
    "en": ("README.md", *(f"docs/{page}" for page in PAGES)),
    "zh-CN": ("README.zh-CN.md", *(f"docs/zh-CN/{page}" for page in PAGES)),
}
PAIRS = list(zip(LANGUAGES["en"], LANGUAGES["zh-CN"], strict=True))
LINK = re.compile(r"\]\(([^)#\s]+)")
README_LINES_AT_MOST = 200


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def code_of(names: tuple[str, ...]) -> str:
    """What stands in code blocks and code spans of these files, a piece a line."""
    pieces: list[str] = []
    for name in names:
        text = text_of(name)
        pieces += re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
        pieces += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return "\n".join(pieces)


def shape_of(name: str) -> list[str]:
    """Headings, code blocks and rows of tables in their order, without their words."""
    return re.findall(r"^(?:#+(?= )|```\w*|\|(?=.))", text_of(name), re.M)


@pytest.mark.parametrize("language", LANGUAGES)
def test_commands_exist_and_none_is_left_out(language: str) -> None:
    named = set(re.findall(r"^(?:\$ )?pushscope ([a-z]+(?:-[a-z]+)*)", code_of(LANGUAGES[language]), re.M))
    shown = {command for command, entry in COMMANDS.items() if not entry.hidden}
    assert named == shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_chores_exist(language: str) -> None:
    readme, *_ = LANGUAGES[language]
    assert {"run", "test"} <= set(re.findall(r"dev\.py ([a-z]+)", code_of((readme,))))
    assert set(re.findall(r"dev\.py ([a-z]+)", code_of(LANGUAGES[language]))) <= set(CHORES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_exit_codes_are_all_told(language: str) -> None:
    text = "\n".join(text_of(name) for name in LANGUAGES[language])
    told = {int(number) for number in re.findall(r"^\| (\d+) \|", text, re.M)}
    assert told == {int(code) for code in ExitCode}


@pytest.mark.parametrize("name", [name for names in LANGUAGES.values() for name in names])
def test_links_lead_somewhere(name: str) -> None:
    local = [target for target in LINK.findall(text_of(name)) if "://" not in target]
    assert not [target for target in local if not (ROOT / name).parent.joinpath(target).exists()]


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_are_in_step(english: str, chinese: str) -> None:
    assert shape_of(english) == shape_of(chinese)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_readme_is_an_entrance(language: str) -> None:
    readme, *_ = LANGUAGES[language]
    assert text_of(readme).count("\n") <= README_LINES_AT_MOST
    assert set(LANGUAGES[language][1:]) <= set(LINK.findall(text_of(readme)))
