"""What an instance subscribes to for itself, and what becomes of what comes there."""

from __future__ import annotations

import pytest

from core.errors import BrokerRefused, BrokerUnavailable
from server.settings.instance import InstanceSettings
from server.users.internal_topics import InternalTopics
from server.users.peer_messages import Hello, decode_peer_message, encode_peer_message
from server.users.peers import PeerSync
from server.users.slices import Slicer
from server.users.spring_registry import SpringRegistry
from server.users.strategies import BroadcastStrategy, LocalStrategy, RelayStrategy

from ...support.user_bench import GREETINGS, UserBench, to_user

UNRESOLVED, REGISTRY = "/topic/unresolved-user-destination", "/topic/simp-user-registry"
SNAPSHOT = b'{"id":"spring-1","userMap":{"ann":{"name":"ann","sessions":[{"id":"far","subscriptions":[]}]}}}'


class Bench(UserBench):
    """The topics of one instance with everything that they serve."""

    def __init__(self, settings: InstanceSettings | None = None, *, alone: bool = False) -> None:
        super().__init__(settings)
        self.ready = 0
        slicer = Slicer(self.clock.later, lambda: self.clock.now)
        self.sync = PeerSync(
            self.settings,
            self.registry,
            lambda destination, body: self.broker.publish(destination, {}, body),
            self.clock.later,
            lambda: self.clock.now,
            self.counters,
            slicer,
        )
        self.spring = SpringRegistry(
            self.settings,
            self.registry,
            "e1",
            self.broker.publish,
            self.clock.later,
            lambda: self.clock.now,
            slicer,
        )
        relay = RelayStrategy(
            self.settings,
            self.registry,
            self.broker,
            self.local,
            self.counters,
            self.stages,
            self.handover,
        )
        others = {
            "relay": relay,
            "broadcast": BroadcastStrategy(
                self.settings, self.registry, self.broker, self.local, self.counters, self.stages
            ),
            "none": LocalStrategy(self.registry, self.local, self.counters, self.stages),
        }
        self.strategy = others[self.settings.strategy]
        self.topics = InternalTopics(
            self.settings,
            self.broker,
            self.strategy,
            self.local,
            None if alone else self.sync,
            None if alone else self.spring,
            self.counters,
            self._on_ready,
        )

    def confirm(self, destination: str = UNRESOLVED, error: BrokerUnavailable | None = None) -> None:
        ready = self.broker.at(destination).ready
        assert ready is not None
        ready(error)

    def said(self) -> list[str]:
        """What was published, by its kind."""
        return [
            type(decode_peer_message(each.body)).__name__
            if "peers" in each.destination
            else each.destination.removeprefix("/topic/")
            for each in self.published
        ]

    def _on_ready(self) -> None:
        self.ready += 1


def test_relay_listens_to_peers_snapshots_and_unresolved_messages() -> None:
    bench = Bench()
    bench.topics.subscribe()
    peers = bench.settings.peers_destination
    own = bench.settings.peer_destination(bench.sync.epoch)
    assert bench.broker.destinations == [peers, own, REGISTRY, UNRESOLVED]
    assert bench.ready == 0
    bench.confirm()
    assert bench.ready == 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (InstanceSettings(registry_broadcast="off"), [UNRESOLVED]),
        (InstanceSettings(registry_destination=UNRESOLVED), [UNRESOLVED]),
        (InstanceSettings(registry_broadcast="off", registry_destination=UNRESOLVED), [UNRESOLVED]),
        (InstanceSettings(strategy="broadcast"), [InstanceSettings().broadcast_destination]),
        (InstanceSettings(strategy="none"), []),
    ],
)
def test_nothing_is_subscribed_to_that_is_not_needed_nor_twice(
    settings: InstanceSettings, expected: list[str]
) -> None:
    bench = Bench(settings, alone=True)
    bench.topics.subscribe()
    assert bench.broker.destinations == expected
    assert bench.ready == (0 if expected else 1)


def test_when_all_is_subscribed_peers_and_spring_instances_are_told() -> None:
    bench = Bench(InstanceSettings(registry_broadcast="always"))
    bench.topics.subscribe()
    bench.topics.on_availability(True, "")
    assert bench.published == [], "nothing is subscribed yet"
    bench.confirm()
    assert bench.said() == ["Hello", "simp-user-registry"]
    bench.topics.on_availability(True, "")
    assert bench.said()[2:] == ["Hello", "simp-user-registry"]
    assert bench.ready == 1
    assert bench.counters.broker_losses == 0


def test_a_refusal_is_said_and_a_loss_is_not(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.topics.subscribe()
    bench.confirm(error=BrokerUnavailable("gone"))
    assert not caplog.records
    bench.confirm(error=BrokerRefused("not for you", title="No"))
    assert [record.getMessage() for record in caplog.records] == [
        "the broker refuses what instances need: not for you"
    ]
    assert (bench.ready, bench.published) == (0, [])


def test_a_loss_is_counted_and_ends_what_was_under_way() -> None:
    bench = Bench()
    bench.strategy.send(to_user("nobody"))
    bench.topics.on_availability(False, "gone")
    assert bench.counters.broker_losses == 1
    assert bench.counts == {("push", "broker-lost", "no-session"): 1}
    other = Bench(InstanceSettings(strategy="broadcast"), alone=True)
    other.topics.on_availability(False, "gone")
    assert other.counters.broker_losses == 1


def test_what_peers_say_is_heard_on_both_of_their_destinations() -> None:
    bench = Bench()
    bench.topics.subscribe()
    for number, destination in enumerate(bench.broker.destinations[:2]):
        bench.broker.at(destination).message(encode_peer_message(Hello(f"i{number + 2}", f"e{number}", 0)))
    assert {peer.id for peer in bench.sync.peers.values()} == {"i2", "i3"}


def test_an_unresolved_message_is_delivered_here_and_counted_if_nobody_wants_it() -> None:
    bench = Bench()
    bench.topics.subscribe()
    bench.here("s1")
    at = bench.broker.at(UNRESOLVED)
    at.message(b"hi", {"simpOrigDestination": f"/user/joe{GREETINGS}"})
    assert b"hi" in bench.written("s1")[0]
    at.message(b"hi", {"simpOrigDestination": f"/user/nobody{GREETINGS}", "ps-via": "i1 push"})
    at.message(b"hi", {"simpOrigDestination": f"/user/nobody{GREETINGS}", "ps-via": "i2 push"})
    assert bench.counts == {("push", "no-session", "no-session"): 1}


def test_snapshots_are_read_where_they_belong() -> None:
    bench = Bench()
    bench.topics.subscribe()
    bench.broker.at(UNRESOLVED).message(SNAPSHOT)
    assert not bench.registry.places("ann"), "not there"
    bench.broker.at(REGISTRY).message(SNAPSHOT)
    assert set(bench.registry.places("ann")) == {"far"}


def test_with_one_destination_for_both_snapshots_come_with_the_messages() -> None:
    bench = Bench(InstanceSettings(registry_destination=UNRESOLVED))
    bench.topics.subscribe()
    bench.here("s1")
    at = bench.broker.at(UNRESOLVED)
    at.message(SNAPSHOT)
    assert set(bench.registry.places("ann")) == {"far"}
    at.message(b"hi", {"simpOrigDestination": f"/user/joe{GREETINGS}"})
    assert len(bench.written("s1")) == 1


def test_without_a_registry_of_springs_a_snapshot_is_nothing() -> None:
    bench = Bench(alone=True)
    bench.topics.subscribe()
    bench.confirm()
    bench.broker.at(REGISTRY).message(SNAPSHOT)
    bench.topics.tick()
    bench.topics.goodbye()
    assert (bench.published, len(bench.registry)) == ([], 0)


def test_a_broadcast_is_delivered_to_sessions_here() -> None:
    bench = Bench(InstanceSettings(strategy="broadcast"), alone=True)
    bench.topics.subscribe()
    bench.here("s1")
    at = bench.broker.at(bench.settings.broadcast_destination)
    at.message(b"hi", {"simpOrigDestination": f"/user/joe{GREETINGS}"})
    at.message(b"no")
    assert len(bench.written("s1")) == 1
    assert bench.counters.from_broker == 1


def test_ticks_and_the_goodbye_go_to_peers_and_spring() -> None:
    bench = Bench(InstanceSettings(registry_broadcast="always"))
    bench.topics.subscribe()
    bench.confirm()
    before = len(bench.published)
    bench.clock.now += 10.5
    bench.sync.tick()  # it stood still: it says hello anew
    bench.clock.now += 0.6
    bench.topics.tick()
    assert "Alive" in bench.said()[before:]
    assert "simp-user-registry" in bench.said()[before:]
    before = len(bench.published)
    bench.topics.goodbye()
    assert bench.said()[before:] == ["Bye", "simp-user-registry"]
