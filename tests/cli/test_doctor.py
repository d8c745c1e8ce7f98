"""The doctor looks, tells, and changes nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

import pytest

from cli import doctor
from core.files_limit import files_limit


def finding(name: str, ports: Mapping[int, str] = doctor.DEFAULT_PORTS) -> doctor.Finding:
    return next(each for each in doctor.examine(ports) if each.name == name)


def test_tells_everything_once() -> None:
    names = [each.name for each in doctor.examine()]
    assert len(names) == len(set(names))
    assert {"pushscope", "Python", "packages", "window", "open files", "default ports", "uvloop"} <= set(
        names
    )


def test_whatever_is_missing_names_a_remedy() -> None:
    assert not [each for each in doctor.examine() if each.verdict == "missing" and not each.mend]


def test_taken_default_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = finding("default ports", {port: "gateway"})
    assert found.verdict == "note"
    assert f"{port} (gateway)" in found.detail


def test_open_files_are_told_with_the_number_of_users() -> None:
    limit = files_limit()
    found = finding("open files")
    assert limit is None or limit.soft >= doctor.ROOMY_FILES or "users" in found.detail


def test_json_is_one_array(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.doctor(as_json=True) == 0
    assert {"name", "verdict", "detail", "mend", "essential"} == set(json.loads(capsys.readouterr().out)[0])
