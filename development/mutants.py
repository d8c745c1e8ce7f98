"""Mutation testing by hand: draw mutants of a package, and see which its own tests notice.

``python3 dev.py mutants core.metrics --count 100 --seed 1`` draws so many mutants (cosmic-ray's operators)
of the package's modules, puts one at a time into a copy of the checkout, and runs the tests of that
package's folder there. A mutant that no test fails over *survives*. What is never evaluated (annotations)
and what is for people (docstrings) is not mutated.

Runs in an environment of its own, which has cosmic-ray; the tests run in the checkout's.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .environment import CACHE, ROOT, ensure_environment, ensure_venv, python_of, run, say

_COSMIC_RAY = "cosmic-ray==8.7.0"
#: A test run that takes longer has met an endless loop: the mutant was noticed.
_TIMEOUT_S = 180.0
#: Operators that want to be told names of variables.
_NEED_ARGUMENTS = {"core/VariableInserter", "core/VariableReplacer"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the ``occurrence``-th place in ``path`` where ``operator`` can change something."""

    path: Path
    operator: str
    occurrence: int
    line: int


def mutants(words: Sequence[str]) -> int:
    """Draw mutants of a package and run its tests on each: PACKAGE [--count N] [--seed N] [--tests PATH]."""
    venv = CACHE / "mutants"
    ensure_environment()
    ensure_venv(venv, [_COSMIC_RAY], _COSMIC_RAY)
    return run([python_of(venv), "-m", "development.mutants", *words])


def main(words: Sequence[str]) -> int:
    """The part that runs beside cosmic-ray."""
    parser = argparse.ArgumentParser(prog="dev.py mutants", description=mutants.__doc__)
    parser.add_argument("package", help="such as core.metrics")
    parser.add_argument("--count", type=int, default=100, help="how many are drawn (100)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (1)")
    parser.add_argument("--tests", nargs="*", help="what is run; the folder in tests/ of the same name")
    options = parser.parse_args(words)
    folder = Path(*options.package.split("."))
    tests = options.tests or [str(Path("tests") / folder)]
    drawn = draw(folder, options.count, options.seed)
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        copy = Path(name)
        _copy_checkout(copy)
        if not _passes(copy, tests):
            say(f"the tests fail without any mutant: {' '.join(tests)}")
            return 1
        survivors = [mutant for mutant in drawn if _survives(copy, mutant, tests)]
    say(f"{options.package}: {len(survivors)} of {len(drawn)} mutants survive (seed {options.seed})")
    return 0


def draw(folder: Path, count: int, seed: int) -> list[Mutant]:
    """``count`` mutants of the modules below ``folder``, the same for the same seed and code.

    Places are drawn first, then one of the changes that are possible there: an addition, for which there
    are eleven, counts no more than a ``not``.
    """
    places = [place for path in sorted(folder.rglob("*.py")) for place in _places_of(path)]
    say(f"{len(places)} places for a mutant in {folder}")
    chance = random.Random(seed)
    return [chance.choice(place) for place in chance.sample(places, min(count, len(places)))]


def _places_of(path: Path) -> list[list[Mutant]]:
    from cosmic_ray.ast import ast_nodes, get_ast_from_path  # pyright: ignore[reportMissingModuleSource]
    from cosmic_ray.plugins import get_operator, operator_names  # pyright: ignore[reportMissingModuleSource]

    unused = _never_evaluated(path)
    nodes = list(ast_nodes(get_ast_from_path(path)))
    places: dict[tuple[int, int], list[Mutant]] = {}
    for name in sorted(set(operator_names()) - _NEED_ARGUMENTS):
        operator = get_operator(name)()
        positions = [begin for node in nodes for begin, _ in operator.mutation_positions(node)]
        for occurrence, position in enumerate(positions):
            if not any(begin <= position < end for begin, end in unused):
                mutant = Mutant(path, name, occurrence, position[0])
                places.setdefault(position, []).append(mutant)
    return [places[position] for position in sorted(places)]


def _never_evaluated(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations are (``from __future__ import annotations`` stands in every module)."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            found.append(node.returns)
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0))
        for node in found
    ]


def _copy_checkout(copy: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)


def _survives(copy: Path, mutant: Mutant, tests: Sequence[str]) -> bool:
    from cosmic_ray.mutating import mutate_code  # pyright: ignore[reportMissingModuleSource]
    from cosmic_ray.plugins import get_operator  # pyright: ignore[reportMissingModuleSource]

    target = copy / mutant.path
    before = target.read_text("utf-8")
    after = mutate_code(before, get_operator(mutant.operator)(), mutant.occurrence)
    if after is None or after == before:
        return False
    target.write_text(after, "utf-8")
    try:
        began = time.monotonic()
        survives = _passes(copy, tests)
        took = time.monotonic() - began
    finally:
        target.write_text(before, "utf-8")
    word = "SURVIVES" if survives else "noticed"
    line = before.splitlines()[mutant.line - 1].strip()
    say(f"{word} {took:5.1f} s {mutant.path}:{mutant.line} {mutant.operator.removeprefix('core/')}: {line}")
    return survives


def _passes(copy: Path, tests: Sequence[str]) -> bool:
    command = [str(python_of(ROOT / ".venv")), "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
