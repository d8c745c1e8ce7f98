"""An attacker who writes the name of something internal in any way that some broker would read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.sessions.guard import Guard
from server.settings.instance import InstanceSettings

from ..server.sessions.attacks import INTERNAL, MINE, OTHERS

GUARD = Guard(InstanceSettings())
NAMES = st.sampled_from([*INTERNAL, *(f"inbox-user{id}" for id in OTHERS)])
KINDS = st.sampled_from(
    [
        "/topic/",
        "/queue/",
        "/exchange/amq.topic/",
        "/exchange/amq.direct/",
        "/amq/queue/",
        "/reply-queue/",
        "",
    ]
)


@st.composite
def spelled(draw: st.DrawFn) -> str:
    """A name behind some kind of destination, with some of its characters percent-encoded."""
    name = draw(NAMES)
    for _ in range(draw(st.integers(0, 2))):
        encoded = draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
        upper = draw(st.booleans())
        name = "".join(
            (f"%{ord(char):02X}" if upper else f"%{ord(char):02x}") if chosen else char
            for char, chosen in zip(name, encoded, strict=True)
        )
        if len(name) > 200:
            break
    blanks = " " * draw(st.integers(0, 2))
    return f"{draw(KINDS)}{blanks}{name}{blanks}"


@st.composite
def composed(draw: st.DrawFn) -> str:
    """Such a destination, alone, with options, or among others."""
    before = draw(st.lists(st.sampled_from(["/topic/a", "b", "topic://c", "queue://d"]), max_size=2))
    after = draw(st.lists(st.sampled_from(["/topic/a", "b", "topic://c"]), max_size=2))
    options = draw(st.sampled_from(["", "?x=y", "?consumer.retroactive=true", "/"]))
    return ",".join([*before, draw(spelled()) + options, *after])


@given(composed())
def test_whatever_names_something_internal_is_refused(destination: str) -> None:
    assert GUARD.refuse_send(destination, MINE), destination
    assert GUARD.refuse_subscribe(destination, MINE), destination


@st.composite
def patterns(draw: st.DrawFn) -> tuple[str, str]:
    """A name of something internal, and a pattern that covers it: words replaced by wildcards."""
    name = draw(st.sampled_from(INTERNAL))
    words = name.split(".")
    pattern: list[str] = []
    for word in words:
        choice = draw(st.sampled_from(["word", "*", "#", "#.word", "word.#"]))
        pattern += {"word": [word], "*": ["*"], "#": ["#"], "#.word": ["#", word], "word.#": [word, "#"]}[
            choice
        ]
    if draw(st.booleans()):
        pattern = [*pattern[: draw(st.integers(0, len(pattern) - 1))], "#"]
    return name, ".".join(pattern)


@given(patterns())
def test_whatever_covers_something_internal_is_refused(case: tuple[str, str]) -> None:
    name, pattern = case
    for kind in ("/topic/", "/exchange/amq.topic/"):
        assert GUARD.refuse_subscribe(kind + pattern, MINE), f"{pattern} covers {name}"
        assert GUARD.refuse_send(kind + pattern, MINE)


@given(st.text(max_size=300))
def test_every_text_has_a_verdict(text: str) -> None:
    for destination in (text, f"/topic/{text}", f"/queue/{text}"):
        assert isinstance(GUARD.refuse_send(destination, MINE), str)
        assert isinstance(GUARD.refuse_subscribe(destination, MINE), str)
