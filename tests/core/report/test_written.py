"""What a run leaves in its folder: whole, valid, and without a reference to the outside."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from core.errors import ExitCode, ReportNotWritten
from core.load.record import Delivery
from core.report.figures import Percentiles, TransportSum
from core.report.html import render_html
from core.report.junit import render_junit
from core.report.result import Result
from core.report.write import prepare_folder, write_report
from tests.support.results import flawless, with_losses, without_pushes

VOID = {"meta", "input", "br"}
RESULTS = pytest.mark.parametrize(
    "result", [flawless(), with_losses(), without_pushes()], ids=["good", "bad", "none"]
)


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects texts and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for key, value in attrs if key in ("src", "href")]
        self.ids += [value or "" for key, value in attrs if key == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@RESULTS
def test_the_page_is_well_formed_and_needs_nothing_else(result: Result) -> None:
    page = Page(render_html(result))
    assert page.open == []
    assert page.links == []
    assert len(page.ids) == len(set(page.ids))
    text = " ".join(page.texts)
    assert "@import" not in text
    assert "url(" not in text
    assert result.reason in text


def test_the_page_tells_transports_only_where_users_differ() -> None:
    result = with_losses()
    assert "Transports" not in " ".join(Page(render_html(result)).texts)
    sums = (
        TransportSum("websocket", 2, 1234, 0, Percentiles(p50=1.5, p99=2.5)),
        TransportSum("xhr-polling", 1, 0, 3, Percentiles()),
    )
    page = Page(render_html(msgspec.structs.replace(result, transports=sums)))
    at = page.texts.index("Transports")
    told = [text for text in page.texts[at:] if text.strip()]
    rows = told[told.index("p99 ms") + 1 :]
    assert rows[:6] == ["websocket", "2", "1\u202f234", "0", "1.50", "2.50"]
    assert rows[6:12] == ["xhr-polling", "1", "0", "3", "–", "–"]


def test_the_page_tells_when_what_and_where() -> None:
    result = with_losses()
    text = render_html(result)
    assert "kill i2" in text
    assert "u&lt;1&gt;" in text
    assert "<1>" not in text
    for push in result.lost_pushes:
        assert push.stage in text
    assert "1.010" in text  # when it was to be sent, in seconds after the first push
    assert "ms, log" in text  # 1.5 ms and 150 ms


def test_points_of_the_crosshair_are_json() -> None:
    match = re.search(r'id="points">(.*?)</script>', render_html(with_losses()), re.DOTALL)
    assert match is not None
    data = json.loads(match[1])
    assert set(data["series"]) == {"on:-", "on:i1", "on:i2", "via:i1"}
    assert all(len(line) == len(data["times"]) for each in data["series"].values() for line in each.values())
    assert data["from"] <= data["times"][0] < data["times"][-1] <= data["to"]


@RESULTS
def test_junit_counts_what_it_holds(result: Result) -> None:
    suites = ET.fromstring(render_junit(result))
    cases = suites.findall(".//testcase")
    assert suites.get("tests") == str(len(cases))
    assert suites.get("failures") == str(len(suites.findall(".//failure")))
    assert suites.get("errors") == str(len(suites.findall(".//error")))
    assert [case.get("name") for case in cases][:4] == [
        "lost == 0", "duplicate == 0", "misrouted == 0", "reordered == 0",
    ]  # fmt: skip


def test_junit_names_lost_pushes_and_thresholds() -> None:
    suites = ET.fromstring(render_junit(with_losses()))
    failures = {case.get("name"): case.findtext("failure") for case in suites.findall(".//testcase")}
    assert "r.i1.u<1>.4 at 1.010 s via i1 on i2: to-broker on i1; instance i2 died" in (
        failures["lost == 0"] or ""
    )
    assert failures["reach > 1"] is None
    assert (failures["p99 < 1"] or "").startswith("p99 < 1: is 149")


def test_the_folder_holds_four_files(tmp_path: Path) -> None:
    record = tmp_path / "r-0.jsonl"
    rows = [
        Delivery("r.i1.u2.4", "u2", "i1", "-", 4, 11_020_000_000, 11_020_100_000, 11_021_000_000, 0, "lost"),
        Delivery(
            "r.i1.u.1",
            "u",
            "i1",
            "i1",
            1,
            10_000_000_000,
            10_000_050_000,
            10_000_400_000,
            10_002_000_000,
            "ok",
        ),
        Delivery("", "u", "-", "", 0, 0, 0, 0, 10_500_000_000, "unexpected"),
        Delivery(
            "r.i1.u.2", "u", "i1", "i1", 2, 10_100_000_000, 10_100_050_000, 10_100_400_000, 0, "refused"
        ),
    ]
    record.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    out = tmp_path / "out"
    write_report(msgspec.structs.replace(with_losses(), records=(record,)), out)
    assert {path.name for path in out.iterdir()} == {
        "summary.json",
        "report.html",
        "junit.xml",
        "deliveries.csv",
    }
    assert json.loads((out / "summary.json").read_text(encoding="utf-8"))["lost"] == 2
    with (out / "deliveries.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["verdict"] for row in written] == ["ok", "refused", "unexpected", "lost"]
    ok, refused, unexpected, lost = written
    assert (ok["intended"], ok["sent"], ok["accepted"], ok["received"], ok["latency_ms"]) == (
        "0.000000", "0.000050", "0.000400", "0.002000", "2.000",
    )  # fmt: skip
    assert (refused["sent"], refused["accepted"]) == ("0.100050", "")
    assert (unexpected["intended"], unexpected["received"], unexpected["latency_ms"]) == ("", "0.500000", "")
    assert lost["stage"] == "no-session on i1; the user was not connected"


NAMES = {"summary.json", "report.html", "junit.xml", "deliveries.csv"}
FULL = Path("/dev/full")  # says "no space left on device" to whoever writes
FULL_DISK = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ReportNotWritten, match=r"cannot write into .*out: ") as refused:
        prepare_folder(tmp_path / "file" / "out")
    assert refused.value.exit_code == ExitCode.INTERNAL


def test_the_files_of_an_earlier_run_are_gone_before_the_next_one(tmp_path: Path) -> None:
    write_report(flawless(), tmp_path)
    (tmp_path / "notes.txt").touch()
    prepare_folder(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt"}


def test_a_folder_in_the_place_of_a_file_is_seen_before_anything_starts(tmp_path: Path) -> None:
    write_report(flawless(), tmp_path)
    (tmp_path / "summary.json").unlink()
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(ReportNotWritten, match=r"summary\.json: is a folder"):
        prepare_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


@FULL_DISK
def test_a_full_disk_is_seen_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / ".pushscope.unfinished").symlink_to(FULL)
    with pytest.raises(ReportNotWritten, match="No space left"):
        prepare_folder(tmp_path)


@FULL_DISK
@pytest.mark.parametrize("lacking", sorted(NAMES))
def test_what_could_be_written_says_what_could_not(tmp_path: Path, lacking: str) -> None:
    (tmp_path / f".{lacking}.unfinished").symlink_to(FULL)
    told = write_report(flawless(), tmp_path)
    assert told.exit_code == ExitCode.INTERNAL
    assert told.reason.startswith(
        f"the report could not be written: {tmp_path / lacking} (No space left on device); passed: "
    )
    assert {path.name for path in tmp_path.iterdir()} == NAMES - {lacking}
    if lacking != "summary.json":
        summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
        assert (summary["result"], summary["reason"]) == ("error", told.reason)
    if lacking != "junit.xml":
        assert ET.parse(tmp_path / "junit.xml").find(".//error") is not None
    if lacking != "report.html":
        assert "could not be written" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_what_could_not_be_recorded_makes_no_deliveries(tmp_path: Path) -> None:
    told = write_report(msgspec.structs.replace(flawless(), unrecorded="its record r: full"), tmp_path)
    assert told.exit_code == ExitCode.INTERNAL
    assert "deliveries.csv (its record r: full)" in told.reason
    assert {path.name for path in tmp_path.iterdir()} == NAMES - {"deliveries.csv"}


def test_an_interrupted_run_stays_one(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").mkdir()
    interrupted = msgspec.structs.replace(flawless(), exit_code=ExitCode.INTERRUPTED)
    told = write_report(interrupted, tmp_path)
    assert (told.exit_code, told.summary.result) == (ExitCode.INTERRUPTED, "interrupted")
    assert "junit.xml (is a folder)" in told.reason
