"""The chores of dev.py. Standard library only, so that they work before there is an environment."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cli.display import display_problem, qt_problem
from cli.packages import find_program, install_line

from .environment import ROOT, ChoreError, ensure_environment, run, say, side_by_side
from .mutants import mutants
from .page import build_page
from .system import ensure_node_modules, install_missing, missing_needs, packages_of
from .without_qt import test_without_qt


def run_demo(words: Sequence[str]) -> int:
    """Open the window and start the demo; where no window can open, run it in the terminal."""
    python = ensure_environment()
    problem = display_problem(str(python))
    if problem is None:
        return run([python, "main.py", "demo", *words])
    say(f"no window can open: {problem.reason}")
    if problem.mend:
        say("to mend it:")
        say(f"  {problem.mend}")
    say("the same demo runs here in the terminal (Ctrl-C ends it)")
    headless = [] if "--headless" in words else ["--headless"]
    return run([python, "main.py", "demo", *headless, *words])


def run_tests(words: Sequence[str]) -> int:
    """Run the tests offscreen; ``--system`` installs what they want of Debian and lets none skip."""
    parser = argparse.ArgumentParser(prog="dev.py test", description=run_tests.__doc__)
    parser.add_argument(
        "--system", action="store_true", help="install missing system packages; no test may skip"
    )
    parser.add_argument(
        "--without-qt", action="store_true", help="only core and server, in an environment without Qt"
    )
    parser.add_argument(
        "--long", action="store_true", help="only the tests that take minutes, one by one: fuzz of each role"
    )
    options, arguments = parser.parse_known_args(words)
    if options.long:
        # One by one: each takes all cores.
        arguments = ["-m", "long", *arguments]
    if options.system:
        install_missing()
    if options.without_qt:
        return test_without_qt(arguments)
    python = ensure_environment()
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    modules = ensure_node_modules()
    if modules is not None:
        environment["PUSHSCOPE_NODE_MODULES"] = str(modules)
    build_page()
    if options.system:
        environment["PUSHSCOPE_NO_SKIP"] = "1"
    missing = missing_needs()
    if missing:
        say(f"some tests will skip, for want of {', '.join(need.name for need in missing)}; to run them too:")
        say(f"  {install_line(packages_of(missing))}")
    # pytest-qt ends pytest where Qt does not start; the window's tests are then left out by conftest.py.
    if qt_problem(str(python), "offscreen"):
        return run([python, "-m", "pytest", "-p", "no:pytest-qt", *arguments], environment)
    return run([python, "-m", "pytest", *(arguments or side_by_side())], environment)


#: The checks by name, cheapest first; ``{python}`` and ``{bin}`` are the environment's.
CHECKS = {
    "lint": ("-m", "ruff", "check"),
    "format": ("-m", "ruff", "format", "--check"),
    "imports": ("-c", "from importlinter.cli import lint_imports_command as check; check()"),
    "structure": (
        *("-m", "pytest", "-q"),
        *("tests/test_structure.py", "tests/test_readme.py", "tests/test_citations.py"),
    ),
    "types": ("-m", "pyright"),
}


def check(words: Sequence[str]) -> int:
    """Run the checks, or only the named ones: lint, format, imports, structure, types."""
    unknown = [word for word in words if word not in CHECKS]
    if unknown:
        raise ChoreError(f"no check called {unknown[0]!r}; there are {', '.join(CHECKS)}")
    python = ensure_environment()
    failed: list[str] = []
    for name in words or CHECKS:
        say(f"check {name}")
        if run([python, *CHECKS[name]], {**os.environ, "QT_QPA_PLATFORM": "offscreen"}) != 0:
            failed.append(name)
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def build(words: Sequence[str]) -> int:
    """Build the wheel into dist/."""
    return run([ensure_environment(), "-m", "hatchling", "build", "-t", "wheel", "-d", "dist", *words])


def page(words: Sequence[str]) -> int:
    """Fetch the libraries that the demo page offers (sockjs-client, stompjs) from npm."""
    if build_page() is not None:
        say("assets/demo/vendor has sockjs-client, @stomp/stompjs and their licences; load the page again")
        return 0
    if find_program("npm") is None or find_program("node") is None:
        raise ChoreError(f"the page's libraries come from npm: {install_line(('nodejs', 'npm'))}")
    return 1


def bench(words: Sequence[str]) -> int:
    """Run the measurements of tests/benchmarks: [--quick] [--rounds N] [--json FILE] [names]."""
    return run([ensure_environment(), "-m", "tests.benchmarks", *words])


def shots(words: Sequence[str]) -> int:
    """Make the README's screenshots, under a virtual X server and in Chromium: [--out DIR]."""
    python = ensure_environment()
    xvfb = find_program("Xvfb")
    if xvfb is None:
        raise ChoreError(f"screenshots need Xvfb: {install_line(('xvfb',))}")
    out = words or ("--out", str(Path("assets") / "screenshots"))
    read, write = os.pipe()
    server = [xvfb, "-displayfd", str(write), "-screen", "0", "1920x1200x24", "-nolisten", "tcp"]
    with subprocess.Popen(server, pass_fds=(write,), stderr=subprocess.DEVNULL) as process:
        os.close(write)
        try:
            with open(read, encoding="ascii") as answer:
                number = answer.readline().strip()  # empty when Xvfb ended without one
            if not number:
                raise ChoreError(f"Xvfb does not start; try it by hand: {' '.join(server[:1])} :99")
            environment = {**os.environ, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
            code = run([python, "main.py", "shots", *out], environment)
        finally:
            process.terminate()
    return code or run([python, "-m", "tests.e2e.page_shots", *out])


def clean(words: Sequence[str]) -> int:
    """Remove what the chores have made: .venv, .cache, dist."""
    for name in (".venv", ".cache", "dist"):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    return 0


CHORES: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run_demo,
    "test": run_tests,
    "check": check,
    "build": build,
    "page": page,
    "bench": bench,
    "mutants": mutants,
    "shots": shots,
    "clean": clean,
}


def run_chore(words: Sequence[str]) -> int:
    """Run the chore that is named first; without one, say which there are."""
    if not words or words[0] in ("-h", "--help") or words[0] not in CHORES:
        if words and words[0] not in ("-h", "--help"):
            say(f"no chore called {words[0]!r}")
        lines = [f"  {name:8}{(chore.__doc__ or '').splitlines()[0]}" for name, chore in CHORES.items()]
        sys.stdout.write("python3 dev.py CHORE [arguments]\n\n" + "\n".join(lines) + "\n")
        return 0 if words and words[0] in ("-h", "--help") else 2
    try:
        return CHORES[words[0]](words[1:])
    except ChoreError as error:
        sys.stderr.write(f"dev.py: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
