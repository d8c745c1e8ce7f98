"""Correlation: ids survive writing and reading, everything else is not taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.load.correlation import PushId, greeted_user, marker_in, parse_id, payload_for

WORDS = st.text(alphabet="abcxyz0123456789-_:", min_size=1, max_size=8)


@given(WORDS, WORDS, st.text(alphabet="ab.c-/@é你", min_size=1, max_size=12), st.integers(min_value=0))
def test_an_id_survives_writing_and_reading(run: str, via: str, user: str, seq: int) -> None:
    push_id = PushId(run, via, user, seq)
    assert parse_id(str(push_id)) == push_id


@pytest.mark.parametrize(
    "text", ["", "r1", "r1.i1.user-1", "r1.i1.user-1.x", "r1..user-1.1", "r1.i1.u.²", "a.b.c.-1"]
)
def test_other_texts_are_not_ids(text: str) -> None:
    assert parse_id(text) is None


@pytest.mark.parametrize("size", [0, 64, 500])
def test_the_marker_in_a_payload(size: int) -> None:
    payload = payload_for("r1.i1.user-1.7", size)
    assert marker_in(payload.encode()) == "r1.i1.user-1.7"
    assert marker_in(f'"{payload}"'.encode()) == "r1.i1.user-1.7"
    assert len(payload) == max(size, len("ps-id:r1.i1.user-1.7;"))


@pytest.mark.parametrize("body", [b"", b"hello", b"ps-id:r1.i1.user-1.7", b"x ps-id:r.i.u.1;"])
def test_a_body_without_a_marker(body: bytes) -> None:
    assert marker_in(body) is None


def test_the_greeting_names_its_user() -> None:
    assert greeted_user(b"hello:lijian") == "lijian"
    assert greeted_user(b'"hello:lijian"') == "lijian"
    assert greeted_user(b"hello") is None
