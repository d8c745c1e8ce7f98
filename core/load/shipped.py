"""The scenarios that come with the program."""

from __future__ import annotations

from pathlib import Path

from .scenario_file import ScenarioFile, load_scenario

#: The folder they are in, in a checkout and in the wheel (``assets`` beside ``core``).
FOLDER = Path(__file__).resolve().parents[2] / "assets" / "scenarios"


def names() -> list[str]:
    """Their names, sorted: those of the files, without ``.toml``."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> ScenarioFile:
    """One of them.

    Raises:
        ScenarioError: there is none of this name.
    """
    return load_scenario(FOLDER / f"{name}.toml")
