"""Texts from elsewhere: nothing in them repaints a terminal, breaks a file or starts a formula."""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cleaning import clean_line, clean_text, for_attribute, for_cell, for_markup
from core.logs import CleanFormatter

ANYTHING = st.text(st.characters(categories=None))


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("grüße, 你好 🙂", "grüße, 你好 🙂"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb", "a\\x0d\\nb"),
        ("abc\u202etxt", "abc\\u202etxt"),
        ("\ud800", "\\ud800"),
        ("\ufffe", "\\ufffe"),
    ],
)
def test_what_is_no_text_is_written_out(raw: str, line: str) -> None:
    assert clean_line(raw) == line


def test_lines_stay_lines_where_there_may_be_several() -> None:
    assert clean_text("a\r\nb\tc\x1b") == "a\nb\tc\\x1b"


@given(ANYTHING)
def test_any_text_is_text_afterwards(raw: str) -> None:
    for cleaned in (clean_text(raw), clean_line(raw), for_cell(raw)):
        assert not [
            one for one in cleaned if (ord(one) < 32 and one not in "\t\n") or 0x7F <= ord(one) < 0xA0
        ]
        cleaned.encode()
    assert "\n" not in clean_line(raw)


@given(ANYTHING)
def test_any_text_is_xml_and_html(raw: str) -> None:
    tree = ET.fromstring(f"<a b={for_attribute(raw)}>{for_markup(raw)}</a>")
    assert tree.get("b") == clean_line(raw)
    assert (tree.text or "") == clean_text(raw)

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            raise AssertionError(tag)

    Tags().feed(for_markup(raw))


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "=cmd|' /C calc'!A0"]
)
def test_a_cell_is_no_formula(formula: str) -> None:
    assert for_cell(formula).startswith("'")


@pytest.mark.parametrize("plain", ["-", "i1", "", "a=b", "r.i1.u.1"])
def test_what_is_no_formula_stays(plain: str) -> None:
    assert for_cell(plain) == plain


def test_an_entry_of_a_log_is_one_line() -> None:
    record = logging.LogRecord("n", logging.INFO, "f", 1, "said %s", ("x\n12:00 INFO forged\x1b[2J",), None)
    assert CleanFormatter("%(message)s").format(record) == "said x\\n12:00 INFO forged\\x1b[2J"
