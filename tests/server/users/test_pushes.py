"""What the push API takes, refuses and makes of it, without HTTP."""

from __future__ import annotations

import msgspec
import pytest

from core.errors import BrokerRefused, BrokerUnavailable
from core.protocol import Prefixes
from server.messages.stages import Stage
from server.settings.instance import InstanceSettings
from server.users.peers import PeerSync
from server.users.pushes import BadPush, Pushes, PushRequest, decode_push
from server.users.slices import Slicer
from server.users.strategies import LocalStrategy

from ...support.user_bench import GREETINGS, UserBench


class Bench(UserBench):
    """Pushes of an instance that knows local sockets only."""

    def __init__(self, settings: InstanceSettings | None = None, *, with_peers: bool = False) -> None:
        super().__init__(settings)
        self.sync = PeerSync(
            self.settings,
            self.registry,
            lambda destination, body: None,
            self.clock.later,
            lambda: self.clock.now,
            self.counters,
            Slicer(self.clock.later, lambda: self.clock.now),
        )
        self.pushes = Pushes(
            self.settings,
            LocalStrategy(self.registry, self.local, self.counters, self.stages),
            self.broker,
            self.hub,
            self.sync if with_peers else None,
            self.counters,
            self.stages,
            self.undeliverable,
            lambda: self.clock.now,
            self.guard,
        )

    def push(self, destination: str = GREETINGS, payload: bytes = b'"x"', **fields: object) -> object:
        request = PushRequest(destination, msgspec.Raw(payload), **fields)  # type: ignore[arg-type]
        return self.pushes.push(request, self.outcomes.append)

    def refused(self, **fields: object) -> BadPush:
        with pytest.raises(BadPush) as refused:
            self.push(**fields)  # type: ignore[arg-type]
        assert (self.published, self.counters.pushes) == ([], 0)
        return refused.value


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_push_to_all_goes_to_the_broker_and_counts_who_listens_here(bench: Bench) -> None:
    assert msgspec.structs.asdict(bench.push(headers={"ps-id": "p"})) == {  # type: ignore[arg-type]
        "id": "p",
        "instance": "i1",
        "sessions": 0,
    }
    bench.hub.join(GREETINGS, bench.session("s1"), "0")
    answer = bench.push(headers={"ps-id": "q"})
    assert answer.sessions == 1  # type: ignore[attr-defined]
    sent = bench.published[1]
    assert (sent.destination, sent.body, sent.done) == (GREETINGS, b"x", bench.outcomes.append)
    assert sent.headers == {"ps-id": "q", "content-type": "text/plain;charset=UTF-8"}
    assert (bench.counters.pushes, bench.counters.to_broker, bench.counters.refused) == (2, 2, 0)
    assert bench.stages.get("q") == Stage.TO_BROKER


def test_a_push_without_an_id_gets_one_and_a_stamp(bench: Bench) -> None:
    for number in (1, 2):
        assert bench.push().id == f"i1-{number}"  # type: ignore[attr-defined]
    name, _, stamp = bench.published[0].headers["ps-sent"].partition(" ")
    assert name == "i1" and float(stamp) > 1e12
    bench.push(headers={"ps-id": "mine"})
    assert "ps-sent" not in bench.published[2].headers


def test_a_push_to_a_user_or_to_one_session(bench: Bench) -> None:
    bench.here("s1")
    bench.here("s2")
    assert bench.push(user="joe").sessions == 2  # type: ignore[attr-defined]
    assert bench.push(session="s1").sessions == 1  # type: ignore[attr-defined]
    assert [len(bench.written(id)) for id in ("s1", "s2")] == [2, 1]
    answer = bench.pushes.test("joe")
    assert answer.sessions == 2
    assert b"hello:joe" in bench.written("s2")[1]


@pytest.mark.parametrize(
    ("payload", "body", "kind"),
    [
        (b'"text"', b"text", "text/plain;charset=UTF-8"),
        (b'"a\\n\\u00e9"', "a\né".encode(), "text/plain;charset=UTF-8"),
        ('"é"'.encode(), "é".encode(), "text/plain;charset=UTF-8"),
        (b'{"a":1}', b'{"a":1}', "application/json"),
        (b"7", b"7", "application/json"),
        (b'""', b"", "text/plain;charset=UTF-8"),
    ],
)
def test_a_string_is_text_and_anything_else_is_json(
    bench: Bench, payload: bytes, body: bytes, kind: str
) -> None:
    bench.push(payload=payload)
    assert (bench.published[0].body, bench.published[0].headers["content-type"]) == (body, kind)
    bench.push(payload=payload, headers={"content-type": "x/y"})
    assert bench.published[1].headers["content-type"] == "x/y"


def test_a_payload_that_is_not_utf_8_is_refused_and_says_where(bench: Bench) -> None:
    error = bench.refused(payload=b'"a\xff"')
    assert (error.field, str(error)) == ("payload", "the payload is not UTF-8: invalid start byte at byte 2")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"destination": "/app/x"}, "destination"),
        ({"destination": "/topic/pushscope.web-socket.peers"}, "destination"),
        ({"destination": "/topic/simp-user-registry"}, "destination"),
        ({"destination": "/topic/pushscope.x", "user": "joe"}, "destination"),
        ({"user": ""}, "user"),
        ({"user": "a%2Fb"}, "user"),
        ({"user": "joe", "session": "s"}, "session"),
        ({"session": ""}, "session"),
        ({"headers": {"receipt": "1"}}, "headers"),
        ({"headers": {"ps-via": "1"}}, "headers"),
        ({"headers": {"": "1"}}, "headers"),
        ({"headers": {"a\0": "1"}}, "headers"),
        ({"headers": {"a": "\0"}}, "headers"),
        ({"headers": {"ps-id": ""}}, "headers"),
        ({"headers": {"ps-id": "x" * 257}}, "headers"),
    ],
)
def test_what_cannot_be_pushed_names_its_field(bench: Bench, fields: dict[str, object], field: str) -> None:
    assert bench.refused(**fields).field == field


def test_the_longest_id_is_taken(bench: Bench) -> None:
    assert len(bench.push(headers={"ps-id": "x" * 256}).id) == 256  # type: ignore[attr-defined]


def test_a_slash_that_was_left_out_is_put_there_where_destinations_have_one(bench: Bench) -> None:
    bench.push("topic/a")
    other = Bench(InstanceSettings(prefixes=Prefixes(broker=("jms.",))))
    other.push("jms.a")
    assert (bench.sent_to, other.sent_to) == (["/topic/a"], ["jms.a"])


# ---- not ready -------------------------------------------------------------------------------


def not_taken(bench: Bench, **fields: object) -> BrokerUnavailable:
    with pytest.raises(BrokerUnavailable) as refused:
        bench.push(**fields)  # type: ignore[arg-type]
    assert (bench.counters.pushes, bench.counters.undeliverable) == (0, 0)
    return refused.value


def test_an_instance_that_stops_takes_no_pushes(bench: Bench) -> None:
    bench.pushes.stopping = True
    assert "about to stop" in str(not_taken(bench, user="joe"))
    assert bench.counts == {("push", "stopping", "accepted"): 1}
    assert bench.counters.refused == 1


def test_without_a_broker_nothing_is_taken(bench: Bench) -> None:
    bench.broker.available = False
    assert "not available" in str(not_taken(bench, user="joe", headers={"ps-id": "p"}))
    assert bench.counts == {("push", "broker-unavailable", "accepted"): 1}
    (case,) = bench.undeliverable.as_dict()["recent"]
    assert (case["user"], case["destination"], case["id"]) == ("joe", GREETINGS, "p")


def test_an_instance_that_stood_still_takes_none_until_it_is_in_step() -> None:
    bench = Bench(with_peers=True)
    assert "stood still" in str(not_taken(bench))
    assert bench.counts == {("push", "not-in-step", "accepted"): 1}
    bench.sync.announce()
    bench.push()
    assert bench.counters.pushes == 1


def test_what_the_broker_does_not_take_is_counted_as_refused(bench: Bench) -> None:
    bench.broker.fails = BrokerRefused("no", title="No")
    not_taken(bench)
    assert (bench.counters.refused, bench.counters.to_broker) == (1, 0)


# ---- the body --------------------------------------------------------------------------------


def test_a_body_is_understood() -> None:
    request = decode_push(b'{"destination":"/topic/a","payload":{"a":1},"confirm":true}')
    assert (request.destination, bytes(request.payload), request.confirm) == ("/topic/a", b'{"a":1}', True)
    assert (request.user, request.session, request.headers) == (None, None, {})
    assert bytes(decode_push(b'{"destination":"/topic/a"}').payload) == b'""'


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "destination"),
        (b'{"destination":1}', "destination"),
        (b'{"destination":"/a","headers":{"a":1}}', "headers"),
        (b'{"destination":"/a","wrong":1}', "wrong"),
        (b"[]", ""),
        (b"no json", ""),
        (b'{"destination":"/a","payload":' + b"[" * 30_000, ""),
    ],
)
def test_a_body_that_is_none_names_its_field(body: bytes, field: str) -> None:
    with pytest.raises(BadPush) as refused:
        decode_push(body)
    assert refused.value.field == field
