"""Properties of destinations: topic patterns beside a reference, and user names there and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.protocol import (
    decode_user,
    encode_user,
    is_pattern,
    send_form,
    split_user_destination,
    subscribe_form,
    subscribe_target,
    topic_matches,
    user_target,
)

words = st.lists(st.sampled_from(["a", "b", "ab", "*", "#", ""]), min_size=1, max_size=7)
names = st.lists(st.sampled_from(["a", "b", "ab", ""]), min_size=1, max_size=7)


def reference(pattern: list[str], name: list[str]) -> bool:
    """RabbitMQ's rule, written as it is said: ``*`` one word, ``#`` any number of words."""
    if not pattern:
        return not name
    if pattern[0] == "#":
        return any(reference(pattern[1:], name[at:]) for at in range(len(name) + 1))
    return bool(name) and pattern[0] in ("*", name[0]) and reference(pattern[1:], name[1:])


@given(words, names, st.sampled_from(["", "/topic/"]))
def test_topics_match_as_the_reference_does(pattern: list[str], name: list[str], prefix: str) -> None:
    pattern_text, name_text = ".".join(pattern), ".".join(name)
    # an empty key has no words, not one empty word
    expected = pattern == name or reference(pattern if pattern_text else [], name if name_text else [])
    assert topic_matches(prefix + pattern_text, prefix + name_text) == expected
    assert is_pattern(prefix + pattern_text) == bool({"*", "#"} & set(pattern))
    assert not topic_matches("/queue/" + pattern_text, "/topic/" + name_text)


@given(names.map(".".join), names.map(".".join))
def test_a_plain_topic_matches_itself_only(one: str, other: str) -> None:
    assert topic_matches(f"/topic/{one}", f"/topic/{other}") == (one == other)


user_names = st.text(min_size=1, max_size=12).filter(lambda name: "%2F" not in name)
rests = st.sampled_from(["/queue/x", "/topic/greetings", "/topic/a.b", "/exchange/amq.direct/pos"])


@given(user_names, rests)
def test_user_destinations_there_and_back(name: str, rest: str) -> None:
    assert decode_user(encode_user(name)) == name
    assert split_user_destination(send_form(name, rest)) == (name, rest)


@given(st.text(min_size=1, max_size=8), rests)
def test_both_forms_name_the_same_place(session: str, rest: str) -> None:
    assert subscribe_target(subscribe_form(rest), session) == user_target(rest, session)
