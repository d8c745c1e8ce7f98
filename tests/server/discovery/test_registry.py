"""The registry: leases, statuses, changes; time is an argument."""

from __future__ import annotations

import weakref

import pytest

from server.discovery import Registered, Registry, Snapshot


def instance(name: str = "i1", **changes: object) -> Registered:
    fields: dict[str, object] = {"id": name, "service": "web-socket", "host": "127.0.0.1", "port": 8080}
    return Registered(**{**fields, **changes})  # pyright: ignore[reportArgumentType]


def names(snapshot: Snapshot) -> list[str]:
    return [item.id for item in snapshot.instances]


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.register(instance(), lease_s=2, now=100)
    return registry


def test_a_lease_lives_as_long_as_it_says(registry: Registry) -> None:
    assert registry.next_expiry() == 102
    assert registry.evict(101.9) == ()
    assert [item.id for item in registry.evict(102)] == ["i1"]
    assert registry.snapshot().instances == ()
    assert registry.next_expiry() is None


def test_renewal_moves_the_end(registry: Registry) -> None:
    assert registry.renew("web-socket", "i1", now=101) is False  # nothing that others see has changed
    assert registry.evict(102.5) == ()
    assert registry.next_expiry() == 103


def test_a_renewal_of_the_unknown_says_so(registry: Registry) -> None:
    registry.evict(200)
    assert registry.renew("web-socket", "i1", now=200) is None
    assert registry.renew("else", "i1", now=200) is None


def test_the_service_is_compared_without_case(registry: Registry) -> None:
    assert [item.id for item in registry.snapshot().of("WEB-Socket")] == ["i1"]
    assert registry.renew("WEB-SOCKET", "i1", now=101) is False
    assert registry.cancel("Web-Socket", "i1", now=101)
    assert not registry.cancel("Web-Socket", "i1", now=101)


def test_the_version_grows_with_changes_only(registry: Registry) -> None:
    before = registry.snapshot()
    registry.renew("web-socket", "i1", now=101)
    registry.register(instance(), lease_s=2, now=101)
    assert registry.snapshot() is before
    registry.register(instance(port=8081), lease_s=2, now=101)
    assert registry.snapshot().version == before.version + 1


def test_a_reported_status_is_believed(registry: Registry) -> None:
    assert registry.renew("web-socket", "i1", now=101, status="DOWN") is True
    assert registry.snapshot().of("web-socket") == ()
    assert [item.id for item in registry.snapshot().of("web-socket", status=None)] == ["i1"]
    assert registry.renew("web-socket", "i1", now=101, status="UP") is True


def test_an_operators_status_wins_and_survives_registration(registry: Registry) -> None:
    assert registry.override("web-socket", "i1", "OUT_OF_SERVICE", now=101) is True
    registry.register(instance(), lease_s=2, now=101)
    registry.renew("web-socket", "i1", now=101, status="UP")
    assert registry.snapshot().instances[0].status == "OUT_OF_SERVICE"
    registry.renew("web-socket", "i1", now=101, status="DOWN")
    assert registry.snapshot().instances[0].status == "DOWN"


def test_a_removed_override_asks_for_registration(registry: Registry) -> None:
    registry.override("web-socket", "i1", "OUT_OF_SERVICE", now=101)
    assert registry.remove_override("web-socket", "i1", now=101) is True
    assert registry.snapshot().instances[0].status == "UNKNOWN"
    assert registry.renew("web-socket", "i1", now=101) is None
    registry.register(instance(), lease_s=2, now=101)
    assert registry.snapshot().instances[0].status == "UP"


def test_older_records_do_not_replace_newer_ones(registry: Registry) -> None:
    registry.register(instance(port=2), lease_s=2, now=101, dirty_ms=20)
    assert not registry.register(instance(port=1), lease_s=2, now=102, dirty_ms=10)
    assert registry.snapshot().instances[0].port == 2
    assert registry.next_expiry() == 104  # but it lives
    assert registry.renew("web-socket", "i1", now=102, dirty_ms=30) is None  # theirs is newer: register again


def test_a_connections_end_takes_only_its_own(registry: Registry) -> None:
    first, second = object(), object()
    registry.register(instance(), lease_s=2, now=101, owner=first)
    registry.register(instance("i2"), lease_s=2, now=101, owner=first)
    registry.register(instance(), lease_s=2, now=101, owner=second)  # i1 came back before we noticed
    assert [item.id for item in registry.release(first, now=101)] == ["i2"]
    assert names(registry.snapshot()) == ["i1"]


def test_extending_gives_everybody_time(registry: Registry) -> None:
    registry.extend(10)
    assert registry.evict(111) == ()
    assert len(registry.evict(112)) == 1


def test_metadata_is_merged(registry: Registry) -> None:
    assert registry.add_metadata("web-socket", "i1", {"a": "1"}, now=101) is True
    assert registry.add_metadata("web-socket", "i1", {"a": "1"}, now=101) is False
    assert registry.add_metadata("web-socket", "nobody", {"a": "1"}, now=101) is None
    assert registry.snapshot().instances[0].metadata == {"a": "1"}


def test_a_connection_is_not_kept_for_the_sake_of_the_delta(registry: Registry) -> None:
    class Connection:
        pass

    connection = Connection()
    gone = weakref.ref(connection)
    registry.register(instance("i2"), lease_s=2, now=100, owner=connection)
    registry.release(connection, now=101)
    assert [change.subject.instance.id for change in registry.delta(102)] == ["i1", "i2"]
    del connection
    assert gone() is None
