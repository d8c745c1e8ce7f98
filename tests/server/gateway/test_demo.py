"""The demo page's files: their types, and what is not served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.responses import FileResponse, Response

from server.gateway.demo import DemoPage, demo_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vendor").mkdir()
    for name in ("110000.html", "110000.js", "package.json", "vendor/a.min.js", "vendor/LICENSES.txt"):
        (tmp_path / name).write_text("é", "utf-8")
    return tmp_path


def kind(answer: Response) -> str:
    return answer.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("/110000.html", "text/html; charset=utf-8"),
        ("/110000.js", "text/javascript; charset=utf-8"),
        ("/110000.vendor/a.min.js", "text/javascript; charset=utf-8"),
        ("/110000.vendor/LICENSES.txt", "text/plain; charset=utf-8"),
    ],
)
def test_types(folder: Path, path: str, type: str) -> None:
    answer = DemoPage(folder).answer(path)
    assert isinstance(answer, FileResponse)
    assert (answer.status_code, kind(answer)) == (200, type)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")


@pytest.mark.parametrize(
    "path",
    [
        "/110000.nothing.js",
        "/110000.vendor/",
        "/110000.vendor/../110000.html",
        "/110000.vendor/..",
        "/110000.vendor/nothing.js",
        "/110000./package.json",
        "/110000.html/",
        "/110000.\n",
    ],
)
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    assert DemoPage(folder).answer(path).status_code == 404


def test_libraries_that_were_not_fetched_are_no_error(folder: Path) -> None:
    answer = DemoPage(folder).answer("/110000.vendor/libraries.json")
    assert (answer.status_code, kind(answer)) == (200, "application/json")
    assert json.loads(bytes(answer.body)) == {}
    (folder / "vendor" / "libraries.json").write_text("{}", "utf-8")
    assert isinstance(DemoPage(folder).answer("/110000.vendor/libraries.json"), FileResponse)


def test_the_page_names_only_files_that_are_there() -> None:
    folder = demo_folder()
    scripts = [*folder.glob("110000.*js")]
    assert scripts
    imported = {
        line.rpartition('"./')[2].partition('"')[0]
        for script in scripts
        for line in script.read_text("utf-8").splitlines()
        if 'from "./' in line
    }
    assert all((folder / name).is_file() for name in imported)
