"""``pushscope run`` from outside: what it says, what it writes, and that nothing is left of it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.errors import ExitCode
from core.launch import self_command
from tests.support.processes import is_gone

#: The keys of summary.json, in their order (docs/measuring.md, "What a run leaves behind").
KEYS = [
    "result", "reason", "attempted", "refused", "pushed", "offline", "expected", "delivered", "pending",
    "reach", "lost", "duplicate", "misrouted", "reordered", "late", "unexpected", "latency_ms", "matrix",
    "thresholds", "sender_lag_ms", "environment", "scenario", "versions",
]  # fmt: skip


class Finished:
    """A run that has ended: its exit code, its lines, and the processes that it had."""

    def __init__(self, *words: str, interrupt_after: str = "") -> None:
        self.lines: list[str] = []
        children: set[int] = set()
        with subprocess.Popen(
            self_command("run", *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    self.lines.append(line.rstrip("\n"))
                    if process.poll() is None:
                        family = psutil.Process(process.pid).children(recursive=True)
                        children.update(each.pid for each in family)
                    if interrupt_after and interrupt_after in line:
                        interrupt_after = ""
                        process.send_signal(signal.SIGINT)
                process.wait(60)
            finally:
                process.kill()
        self.code = process.returncode
        self.children = children

    @property
    def leftovers(self) -> list[int]:
        """Processes that outlived it."""
        return [pid for pid in self.children if not is_gone(pid)]


def paced(*words: str) -> Finished:
    """A run whose pushes left in time; one that a busy machine held up (exit 30) is made again."""
    finished = Finished(*words)
    for _ in range(3):
        if finished.code != ExitCode.SATURATED:
            break
        assert finished.leftovers == []
        finished = Finished(*words)
    return finished


def assert_flawless(finished: Finished, out: Path, *, users: int, pushes: int) -> dict[str, Any]:
    assert finished.code == 0, finished.lines
    assert finished.children
    assert finished.leftovers == []
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert list(summary) == KEYS
    assert summary["result"] == "pass"
    assert summary["attempted"] == summary["pushed"] == summary["expected"] == summary["delivered"] == pushes
    flaws = ("refused", "offline", "pending", "lost", "duplicate", "misrouted", "reordered", "unexpected")
    assert {name: summary[name] for name in flaws} == dict.fromkeys(flaws, 0)
    assert summary["reach"] == 100
    assert summary["scenario"]["users"] == users
    assert finished.lines[-1] == summary["reason"]
    return summary


def assert_matrix_is_full(summary: dict[str, Any], instances: int) -> None:
    cells = {(cell["via"], cell["on"]): cell for cell in summary["matrix"]}
    names = [f"i{number}" for number in range(1, instances + 1)]
    assert set(cells) == {(via, on) for via in names for on in names}
    for cell in cells.values():
        assert cell["pushed"] == cell["delivered"] > 0
        assert cell["lost"] == 0
        assert 0 < cell["p50"] <= cell["p99"]
    assert sum(cell["pushed"] for cell in cells.values()) == summary["expected"]


def assert_latencies_ascend(latency: dict[str, float]) -> None:
    assert list(latency) == ["p50", "p90", "p95", "p99", "p999", "max"]
    assert sorted(latency.values()) == list(latency.values())
    assert latency["p50"] > 0


@pytest.mark.timeout(120)
def test_a_small_run(tmp_path: Path) -> None:
    finished = paced("--users", "50", "--rate", "200", "--duration", "5", "--out", str(tmp_path))
    summary = assert_flawless(finished, tmp_path, users=50, pushes=1000)
    assert_matrix_is_full(summary, 2)
    assert_latencies_ascend(summary["latency_ms"])
    with (tmp_path / "deliveries.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1000
    assert {row["verdict"] for row in rows} == {"ok"}
    for row in rows:
        assert float(row["intended"]) <= float(row["sent"]) <= float(row["received"])
        assert float(row["latency_ms"]) == pytest.approx(
            1000 * (float(row["received"]) - float(row["intended"])), abs=0.01
        )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://127.0.0.1", "").replace("http://www.w3.org", "")
    suite = ET.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")


@pytest.mark.timeout(300)
def test_the_run_of_the_issue(tmp_path: Path) -> None:
    finished = paced("--users", "200", "--rate", "500", "--duration", "20", "--out", str(tmp_path))
    summary = assert_flawless(finished, tmp_path, users=200, pushes=10_000)
    assert_matrix_is_full(summary, 2)


@pytest.mark.timeout(120)
def test_a_scenario_file_that_fails_its_threshold(tmp_path: Path) -> None:
    scenario = tmp_path / "strict.toml"
    scenario.write_text(
        'name = "strict"\nusers = 6\nrate = 60\nduration = 1\nthresholds = ["max < 1us"]\n'
        '[cluster]\ninstances = 2\nstrategy = "broadcast"\n',
        encoding="utf-8",
    )
    finished = paced(str(scenario), "--out", str(tmp_path / "out"))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert finished.code == 10, finished.lines
    assert summary["environment"]["strategy"] == "broadcast"
    assert [each["ok"] for each in summary["thresholds"]] == [False]
    assert finished.lines[-1].startswith("threshold failed: max < 1us (is ")
    assert finished.leftovers == []


@pytest.mark.timeout(120)
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_writes_the_files_first(tmp_path: Path) -> None:
    words = ("--users", "10", "--rate", "50", "--duration", "600", "--out", str(tmp_path))
    finished = Finished(*words, interrupt_after="push ")
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert finished.code == 130, finished.lines
    assert summary["result"] == "interrupted"
    assert finished.lines[-1] == summary["reason"]
    assert finished.leftovers == []


def test_a_wrong_key_is_named_with_its_line(tmp_path: Path) -> None:
    scenario = tmp_path / "wrong.toml"
    scenario.write_text("users = 5\nrat = 60\n", encoding="utf-8")
    done = subprocess.run(self_command("run", str(scenario)), capture_output=True, text=True, timeout=50)
    assert done.returncode == 2
    assert f"{scenario}:2: rat: unknown key" in done.stderr
    assert "did you mean 'rate'?" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--fault", "kill i2"),
        ("--threshold", "p98 < 5"),
        ("--rate", "-3"),
        ("--instances", "0"),
        ("--strategy", "x"),
    ],
)
def test_an_option_that_makes_no_sense(words: tuple[str, str]) -> None:
    done = subprocess.run(self_command("run", *words), capture_output=True, text=True, timeout=50)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
