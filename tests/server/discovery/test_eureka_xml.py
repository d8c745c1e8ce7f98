"""Eureka's XML: what is taken, what is refused, and that nothing changes on the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.discovery.eureka_xml import DEEPEST, XmlError, decode_name, encode_name, parse_xml, render_xml


def test_attributes_text_and_lists() -> None:
    parsed = parse_xml(b'<a x="1"><b y="2"> t </b><c>1</c><c>2</c><c/><d>&amp;&#x20ac;</d></a>')
    assert parsed == {"a": {"@x": "1", "b": {"@y": "2", "$": "t"}, "c": ["1", "2", ""], "d": "&€"}}


def test_what_goes_out() -> None:
    value = {
        "p": {"$": 80, "@enabled": True},
        "m": {"@class": 'a"b'},
        "l": [1, None],
        "metadata": {"a_b $": "<"},
        "overriddenStatus": "UP",
    }
    assert render_xml("i", value).decode() == (
        '<i><p enabled="true">80</p><m class=\'a"b\'/><l>1</l><l></l>'
        "<metadata><a__b_.0020_->&lt;</a__b_.0020_-></metadata><overriddenstatus>UP</overriddenstatus></i>"
    )


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/">%p;]><a/>',
        b"<a>&e;</a>",
        b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1),
        b"<a>" + b"<b/>" * 5000 + b"</a>",
        b"<a><b></a>",
        b"<a/><b/>",
        b"",
        b"\xff",
        b"<a>\x00</a>",
        b'<?xml version="1.0" encoding="nobody-knows"?><a/>',
        b'<?xml version="1.0" encoding="gbk"?><a/>',
    ],
)
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(XmlError):
        parse_xml(body)


def test_names() -> None:
    assert decode_name("a_b") == "a_b"  # what is not coded stays
    assert decode_name("a__b_-") == "a_b$"
    assert encode_name("1\U0001f600") == "_.0031_.d83d_.de00"
    assert decode_name("_.fff") == "_.fff"
    assert decode_name("_.d83d") == "\ufffd"


@given(st.text(min_size=1).filter(str.isprintable))
def test_any_name_comes_back(name: str) -> None:
    assert decode_name(encode_name(name)) == name


texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1).map(str.strip)
names = st.text(min_size=1).filter(lambda name: name.isprintable() and name[0] not in "@$")


@given(st.dictionaries(names, texts.filter(bool), min_size=1))
def test_any_metadata_comes_back(metadata: dict[str, Any]) -> None:
    legal = {key: value for key, value in metadata.items() if not {"\ufffe", "\uffff"} & set(value)}
    parsed = parse_xml(render_xml("metadata", legal))
    assert parsed == {"metadata": legal or ""}
