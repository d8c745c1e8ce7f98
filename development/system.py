"""System packages and npm packages for the tests. Standard library only."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from cli.packages import SYSTEM_NEEDS, SystemNeed, find_program, install_line

from .environment import CACHE, ROOT, ChoreError, run, say, stamp_of


def missing_needs() -> list[SystemNeed]:
    """What the tests want of the system and do not find."""
    return [need for need in SYSTEM_NEEDS.values() if need.missing()]


def packages_of(needs: Iterable[SystemNeed]) -> list[str]:
    """All Debian packages of these needs."""
    return [package for need in needs for package in need.packages]


def install_missing() -> None:
    """Install what is missing, on Debian and Ubuntu, as root or with sudo.

    Raises:
        ChoreError: not such a system, or apt failed.
    """
    needs = missing_needs()
    if not needs:
        return
    packages = packages_of(needs)
    apt = find_program("apt-get")
    if apt is None:
        raise ChoreError(
            "--system installs packages on Debian and Ubuntu only; missing here: "
            + ", ".join(f"{need.name} ({need.purpose})" for need in needs)
        )
    say(f"installing system packages: {' '.join(packages)}")
    administrator = [] if os.geteuid() == 0 else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    settings = ["env", "DEBIAN_FRONTEND=noninteractive"]
    run([*administrator, apt, "update", "-q"], environment)  # an old list may do; install tells
    install = [*administrator, *settings, apt, "install", "-y", "-q", "--no-install-recommends", *packages]
    if run(install, environment) != 0:
        raise ChoreError(f"apt-get failed; try it by hand: {install_line(packages)}")
    still = [f"{need.name} ({', '.join(need.missing())})" for need in missing_needs()]
    if still:
        raise ChoreError(f"still missing after apt-get succeeded: {'; '.join(still)}")


def ensure_node_modules() -> Path | None:
    """Install the tests' npm packages into the cache, when Node is here.

    Returns:
        The ``node_modules`` folder, or None without Node or when npm failed (which is said).
    """
    return install_node_modules(ROOT / "tests" / "e2e", "npm")


def install_node_modules(source: Path, name: str) -> Path | None:
    """Install exactly what the lock file of a folder names, into the cache, unless that was done.

    Args:
        source: Holds package.json and package-lock.json.
        name: The folder's name in the cache.

    Returns:
        The ``node_modules`` folder, or None without Node or when npm failed (which is said).
    """
    npm = find_program("npm")
    if npm is None or find_program("node") is None:
        return None
    sources = [source / file for file in ("package.json", "package-lock.json")]
    folder = CACHE / name
    modules = folder / "node_modules"
    stamp_file = folder / "stamp"
    stamp = stamp_of(sources)
    if modules.is_dir() and stamp_file.exists() and stamp_file.read_text("utf-8") == stamp:
        return modules
    manifest = sources[0].relative_to(ROOT).as_posix()
    say(f"installing the npm packages of {manifest} into .cache/{name}")
    folder.mkdir(parents=True, exist_ok=True)
    for file in sources:
        shutil.copy(file, folder)
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        say(f"npm ci failed in {folder}, what needs its packages will not run:\n{done.stderr.strip()}")
        return None
    stamp_file.write_text(stamp, "utf-8")
    return modules
