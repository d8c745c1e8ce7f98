"""Whatever payload, headers and paths clients send: a value, or an error that names what is wrong."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from server.handlers.conversion import MessageConversionError, PayloadConverter, encode_payload
from server.handlers.patterns import Pattern


@dataclass
class Order:
    item: str
    count: int = 1
    at: datetime.datetime | None = None
    tags: tuple[str, ...] = ()


HINTS: tuple[Any, ...] = (
    str,
    bytes,
    str | None,
    Order,
    Order | None,
    list[Order],
    dict[str, Any],
    int | str,
    Literal["a", "b"],
    Any,
)
CONVERTERS = [PayloadConverter(hint, "x") for hint in HINTS]

content_types = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "text/plain",
            "text/plain;charset=UTF-8",
            "text/plain;charset=utf-16",
            "text/plain; charset=big5",
            "text/plain;charset=punycode",
            "application/json",
            "application/x+json",
            "application/octet-stream",
            "*/*",
        ]
    ),
    st.text(max_size=40),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
bodies = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: _encoded(value)),
    st.fixed_dictionaries({"item": json_values}, optional={"count": json_values, "at": json_values}).map(
        lambda value: _encoded(value)
    ),
)


def _encoded(value: object) -> bytes:
    try:
        return encode_payload(value, "application/json")[0]
    except MessageConversionError:
        return b"?"


@given(st.sampled_from(CONVERTERS), bodies, content_types)
def test_a_payload_is_a_value_or_a_clear_error(
    convert: PayloadConverter, body: bytes, content_type: str | None
) -> None:
    try:
        convert(body, content_type)
    except MessageConversionError as error:
        assert str(error)


@given(json_values, content_types)
def test_what_is_sent_comes_back(value: object, content_type: str | None) -> None:
    try:
        body, sent_as = encode_payload(value, content_type)
    except MessageConversionError:
        return
    assert sent_as == content_type or not content_type
    hint = str if isinstance(value, str) and not sent_as.endswith("json") else Any
    try:
        assert PayloadConverter(hint, "x")(body, sent_as) == value
    except MessageConversionError:
        assert not sent_as.startswith(("application/json", "text/plain;charset=UTF-8"))


@given(st.text(max_size=60))
def test_any_path_matches_or_does_not(path: str) -> None:
    for pattern in ("/**/{a}-{b}/*x*/?", r"/{n:\d+}/**", "/a/*"):
        found = Pattern(pattern).match(path)
        assert found is None or all(value in path for value in found.values())
