"""What a session is when it begins and when it has ended."""

from __future__ import annotations

import math

import pytest

from server.access.admission import PRINCIPAL, Principal
from server.sessions.held import Held
from server.sessions.session import Session

from ...support.session_bench import SessionBench


@pytest.fixture
def bench() -> SessionBench:
    return SessionBench()


def with_claims() -> Principal:
    return Principal("joe", claims={"sub": "joe"})


def test_a_new_session_has_said_and_been_sent_nothing(bench: SessionBench) -> None:
    session = bench.session("s1")
    assert (session.user, session.ends_at, session.slot, session.backlog_bytes) == ("", math.inf, 0, 0)
    assert session.joined_seq == 0
    assert (session.opened_at, session.flushed_at, session.paused_at) == (0.0, 0.0, 0.0)
    states = (session.full, session.dirty, session.paused, session.heard, session.closed)
    assert not any(states)
    assert session.direct
    assert (session.held, session.backlog, session.transactions, session.unsettled) == (None,) * 4
    assert (session.held_bytes, session.held_ids) == (0, [])


def test_what_waits_is_known_by_bytes_and_by_push(bench: SessionBench) -> None:
    session = bench.session("s1")
    session.held = Held(bench.outbox.rule)
    session.held.add(b"12345", ["p1", "p2"])
    assert (session.held_bytes, session.held_ids) == (5, ["p1", "p2"])


def test_what_has_ended_writes_nothing_and_lets_go_of_its_connection(bench: SessionBench) -> None:
    session = bench.session("s1")
    session.pending.append(b"x")
    session.pending_ids.append("p")
    session.held = Held(bench.outbox.rule)
    session.end()
    session.write(b"late")
    session.carrier.write(b"late")
    session.carrier.close(1000, "")
    carrier = bench.carriers["s1"]
    assert (session.closed, session.pending, session.pending_ids, session.held) == (True, [], [], None)
    assert (carrier.writes, carrier.closes) == ([], [])
    assert session.carrier is not carrier


def test_the_application_sees_who_it_is_if_a_token_says_so(bench: SessionBench) -> None:
    template = bench.session("s1")
    principal = with_claims()
    for each in (Principal("joe"), None):
        named = Session("s", template.carrier, template.protocol, now=0.0, principal=each)
        assert named.attributes == {}
    session = Session("s", template.carrier, template.protocol, now=0.0, principal=principal)
    assert session.attributes == {PRINCIPAL: principal}
    session.attributes["seen"] = 1
    assert session.attributes["seen"] == 1


def test_who_proves_it_later_is_seen_too(bench: SessionBench) -> None:
    session = bench.session("s1")
    session.attributes["seen"] = 1
    session.become(Principal("ann"), 7.0)
    assert (session.attributes, session.ends_at) == ({"seen": 1}, 7.0)
    principal = with_claims()
    session.become(principal, 9.0)
    assert session.attributes == {"seen": 1, PRINCIPAL: principal}
    assert (session.principal, session.ends_at) == (principal, 9.0)
    fresh = bench.session("s2")
    fresh.become(principal, math.inf)
    assert fresh.attributes == {PRINCIPAL: principal}
