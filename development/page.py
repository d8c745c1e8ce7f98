"""The demo page's build: the libraries it offers, from npm, with their licences. Standard library only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from .environment import ROOT, ChoreError
from .system import install_node_modules

_PAGE = ROOT / "assets" / "demo"
#: What the page loads, by package: the minified file and its name on the page.
_LIBRARIES = {
    "sockjs-client": ("dist/sockjs.min.js", "sockjs.min.js"),
    "@stomp/stompjs": ("bundles/stomp.umd.min.js", "stomp.umd.min.js"),
}


def build_page() -> Path | None:
    """Put the libraries of assets/demo/package.json into assets/demo/vendor/, unless they are there.

    Returns:
        The folder, or None without Node or when npm failed (which is said).

    Raises:
        ChoreError: a package has no such file, or no licence.
    """
    modules = install_node_modules(_PAGE, "page")
    if modules is None:
        return None
    vendor = _PAGE / "vendor"
    list_file = vendor / "libraries.json"
    before = list_file.read_text("utf-8") if list_file.exists() else ""
    if before != _told(modules):
        collect(modules, vendor)
    return vendor


def collect(modules: Path, vendor: Path) -> None:
    """Make the folder that the page loads from.

    Each library is the file that its makers publish. ``LICENSES.txt`` has the licences of the libraries
    and of all packages that went into them. ``libraries.json`` names the versions, from which the page
    learns that all is there; it is written last.

    Args:
        modules: The ``node_modules`` that npm made.
        vendor: Is replaced.

    Raises:
        ChoreError: a package has no such file, or no licence.
    """
    shutil.rmtree(vendor, ignore_errors=True)
    vendor.mkdir()
    for name, (source, target) in _LIBRARIES.items():
        file = modules / name / source
        if not file.is_file():
            raise ChoreError(
                f"npm's {name} {_version(modules / name)} has no {source}; next: mend development/page.py"
            )
        # The maps are not served, so the page must not ask for them.
        text, _, _ = file.read_text("utf-8").partition("\n//# sourceMappingURL=")
        (vendor / target).write_text(text.rstrip() + "\n", "utf-8")
    (vendor / "LICENSES.txt").write_text("\n".join(_licences(modules)), "utf-8")
    (vendor / "libraries.json").write_text(_told(modules), "utf-8")


def _told(modules: Path) -> str:
    return json.dumps({name: _version(modules / name) for name in _LIBRARIES}, indent=2) + "\n"


def _licences(modules: Path) -> Iterator[str]:
    for manifest in sorted([*modules.glob("*/package.json"), *modules.glob("@*/*/package.json")]):
        package = manifest.parent
        name = package.relative_to(modules).as_posix()
        texts = sorted(file for file in package.iterdir() if file.name.lower().startswith("licen"))
        if not texts:
            raise ChoreError(f"npm's {name} {_version(package)} has no licence file; next: leave it out")
        yield f"==== {name} {_version(package)}\n"
        for file in texts:
            yield file.read_text("utf-8").strip() + "\n"


def _version(package: Path) -> str:
    return str(json.loads((package / "package.json").read_text("utf-8"))["version"])
