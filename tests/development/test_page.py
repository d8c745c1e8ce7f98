"""What the page's build takes out of npm's packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from development.environment import ChoreError
from development.page import collect


def package(modules: Path, name: str, files: dict[str, str]) -> None:
    for file, text in {"package.json": '{"version": "1.2.3"}', **files}.items():
        path = modules / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    modules = tmp_path / "node_modules"
    script = "let x = 'é\u2028';\n//# sourceMappingURL=x.map\n"
    package(modules, "sockjs-client", {"dist/sockjs.min.js": script, "LICENSE": "MIT one"})
    package(modules, "@stomp/stompjs", {"bundles/stomp.umd.min.js": "1;\n", "LICENSE": "Apache two"})
    package(modules, "ms", {"license.md": "MIT three"})
    return modules


def test_libraries_versions_and_licences(modules: Path, tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    (vendor / "old.js").write_text("", "utf-8")
    collect(modules, vendor)
    assert {file.name for file in vendor.iterdir()} == {
        "sockjs.min.js",
        "stomp.umd.min.js",
        "LICENSES.txt",
        "libraries.json",
    }
    assert (vendor / "sockjs.min.js").read_text("utf-8") == "let x = 'é\u2028';\n"
    told = json.loads((vendor / "libraries.json").read_text("utf-8"))
    assert told == {"sockjs-client": "1.2.3", "@stomp/stompjs": "1.2.3"}
    licences = (vendor / "LICENSES.txt").read_text("utf-8")
    assert all(words in licences for words in ("==== ms 1.2.3", "MIT one", "Apache two", "MIT three"))


def test_without_a_licence_nothing_is_taken(modules: Path, tmp_path: Path) -> None:
    (modules / "ms" / "license.md").unlink()
    with pytest.raises(ChoreError, match=r"ms 1\.2\.3 has no licence"):
        collect(modules, tmp_path / "vendor")
    assert not (tmp_path / "vendor" / "libraries.json").exists()


def test_a_library_that_moved_its_file_is_named(modules: Path, tmp_path: Path) -> None:
    (modules / "sockjs-client" / "dist" / "sockjs.min.js").unlink()
    with pytest.raises(ChoreError, match=r"sockjs-client 1\.2\.3 has no dist/sockjs\.min\.js"):
        collect(modules, tmp_path / "vendor")
