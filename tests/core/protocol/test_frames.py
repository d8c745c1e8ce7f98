"""Frames as values."""

from __future__ import annotations

from core.protocol import Frame


def test_get_is_the_effective_value() -> None:
    frame = Frame("SEND", {"a": "1"}, b"", (("a", "2"),))
    assert (frame.get("a"), frame.get("b"), frame.get("b", "x")) == ("1", None, "x")


def test_secrets_are_in_no_repr() -> None:
    frame = Frame("CONNECT", {"login": "joe", "passcode": "s3cret"}, b"", (("passcode", "s3cret2"),))
    for text in (repr(frame), str(frame), f"{frame}", repr(frame.__rich_repr__())):
        assert "s3cret" not in text
        assert "joe" in text


def test_a_long_body_is_cut_in_repr() -> None:
    assert len(repr(Frame("SEND", {}, b"x" * 100_000))) < 200
    assert repr(Frame("SEND", {"a": "1"}, b"x")) == "Frame(command='SEND', headers={'a': '1'}, body=b'x')"
