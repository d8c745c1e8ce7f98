"""Self-preservation (docs/wire/discovery.md §4); time and chance are arguments."""

from __future__ import annotations

import random

from server.discovery.preservation import Preservation
from server.discovery.registry import Lease, Registered, Registry


def beginning(clients: int) -> Preservation:
    preservation = Preservation(choose=random.Random(1))
    for _ in range(clients):
        preservation.joined()
    return preservation


def minute(preservation: Preservation, number: int, renewals: int) -> None:
    for _ in range(renewals):
        preservation.renewed(number * 60.0)


def test_the_threshold() -> None:
    preservation = beginning(0)
    assert preservation.threshold == 1  # as Spring's server begins: one client is expected
    for _ in range(9):
        preservation.joined()
    assert preservation.threshold == 17
    preservation.left(4)
    assert preservation.threshold == 10
    preservation.left(100)
    assert preservation.threshold == 0


def test_nobody_goes_while_few_renew() -> None:
    preservation = beginning(9)
    assert preservation.evictable(["a"], 10, 0) == []  # asked once a minute
    minute(preservation, 0, 17)
    assert preservation.evictable(["a"], 10, 60) == []
    minute(preservation, 1, 18)
    assert preservation.evictable(["a"], 10, 119) == []
    assert preservation.evictable(["a"], 10, 121) == ["a"]
    assert preservation.last_minute(240) == 0  # nothing came in the minute before


def test_no_more_than_fifteen_percent_go_at_a_time() -> None:
    preservation = beginning(19)
    preservation.evictable([], 20, 0)
    minute(preservation, 0, 40)
    gone = preservation.evictable(list(range(12)), 20, 60)
    assert len(gone) == 3
    assert len(set(gone)) == 3


def test_the_expectation_follows_the_registry() -> None:
    preservation = beginning(9)
    preservation.evictable(["a"], 30, 0)
    preservation.evictable(["a"], 30, 900)
    assert preservation.threshold == 51
    preservation.evictable(["a"], 10, 1800)  # too few to be believed
    assert preservation.threshold == 51


def test_a_connection_is_not_preserved() -> None:
    registry = Registry()
    for name, owner in (("i1", None), ("i2", object())):
        registry.register(Registered(name, "s", "h", 1), lease_s=1, now=0, owner=owner)
    seen: list[Lease] = []

    def nobody(expired: object) -> list[Lease]:
        assert isinstance(expired, list)
        seen.extend(expired)  # pyright: ignore[reportUnknownArgumentType]
        return []

    assert [item.id for item in registry.evict(10, nobody)] == ["i2"]
    assert [lease.instance.id for lease in seen] == ["i1"]
