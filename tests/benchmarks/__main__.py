"""Runs the measurements: ``python3 dev.py bench [--quick] [--rounds N] [--json FILE] [names]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from .report import Row, as_data, print_rows

HERE = Path(__file__).resolve().parent
NAMES = sorted(file.stem.removeprefix("bench_") for file in HERE.glob("bench_*.py"))


def main() -> int:
    """Run the chosen measurements, each in a process of its own, and print what they found."""
    options = _options()
    if options.child:
        _measure(options.names[0], options.rounds, options.quick, _load(options))
        return 0
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    rows: list[Row] = []
    failed: list[str] = []
    for name in options.names or NAMES:
        console.print(f"measuring {name} …")
        command = [sys.executable, "-m", "tests.benchmarks", "--child", f"--rounds={options.rounds}", name]
        command += ["--quick"] if options.quick else []
        command += [f"--{word}={value}" for word, value in _words(options)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        found = [Row(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
        print_rows(found, console)
        rows += found
        if done.returncode != 0:
            failed.append(name)
            console.print(f"[red]{name} ended with exit code {done.returncode}[/]")
    if options.json:
        options.json.write_text(json.dumps(as_data(rows), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench", description="Print measurements; never asserts.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(NAMES)} (all)")
    parser.add_argument("--quick", action="store_true", help="a smaller load, for a first look")
    parser.add_argument(
        "--rounds", type=int, default=5, help="interleaved rounds, of which the median counts"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--connections", type=int, metavar="N", help="of leaks: connections of each kind (100,000)"
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="ROLE/KIND",
        help="of leaks: that role, or kind, or one kind at one",
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no measurement called {unknown[0]!r}; there are {', '.join(NAMES) or 'none'}")
    if _load(options) and options.names != ["leaks"]:
        parser.error("--connections and --only are options of leaks alone")
    return options


def _load(options: argparse.Namespace) -> dict[str, Any]:
    """What is asked of a measurement beyond rounds."""
    given = {"connections": options.connections, "only": options.only}
    return {name: value for name, value in given.items() if value}


def _words(options: argparse.Namespace) -> list[tuple[str, object]]:
    """The same as words for the child."""
    found: list[tuple[str, object]] = []
    for name, value in _load(options).items():
        found += [
            (name, each) for each in (cast(list[object], value) if isinstance(value, list) else [value])
        ]
    return found


def _measure(name: str, rounds: int, quick: bool, load: Mapping[str, Any]) -> None:
    """Run one measurement here; each row is a line of JSON on standard output."""
    module = import_module(f".bench_{name}", __package__)
    rows: Iterable[Row] = module.main(min(rounds, 3) if quick else rounds, quick, **load)
    for row in rows:
        sys.stdout.write(json.dumps(as_data([row])[0]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
