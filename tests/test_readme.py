"""Both READMEs say what is there: commands, exit codes, links, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.app import COMMANDS
from core.errors import ExitCode
from development.chores import CHORES

ROOT = Path(__file__).resolve().parent.parent
README_FILES = ("README.md", "README.zh-CN.md")
LINK = re.compile(r"\]\(([^)#\s]+)")


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def code_of(name: str) -> str:
    """What stands in code blocks and code spans, a piece a line."""
    text = text_of(name)
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    return "\n".join(
        [*blocks, *re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))]
    )


@pytest.mark.parametrize("name", README_FILES)
def test_commands_exist_and_none_is_left_out(name: str) -> None:
    named = set(re.findall(r"^(?:\$ )?pushscope ([a-z]+(?:-[a-z]+)*)", code_of(name), re.M))
    shown = {command for command, entry in COMMANDS.items() if not entry.hidden}
    assert named == shown


@pytest.mark.parametrize("name", README_FILES)
def test_chores_exist(name: str) -> None:
    named = set(re.findall(r"dev\.py ([a-z]+)", code_of(name)))
    assert {"run", "test"} <= named <= set(CHORES)


@pytest.mark.parametrize("name", README_FILES)
def test_exit_codes_are_all_told(name: str) -> None:
    told = {int(number) for number in re.findall(r"^\| (\d+) \|", text_of(name), re.M)}
    assert told == {int(code) for code in ExitCode}


@pytest.mark.parametrize("name", README_FILES)
def test_links_lead_somewhere(name: str) -> None:
    local = [target for target in LINK.findall(text_of(name)) if "://" not in target]
    assert not [target for target in local if not (ROOT / target).exists()]
