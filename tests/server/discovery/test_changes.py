"""The queue behind deltas; time is an argument."""

from __future__ import annotations

import weakref

from server.discovery.changes import RecentChanges


def told(changes: RecentChanges[str], now: float) -> list[tuple[str, str]]:
    return [(change.subject, change.action) for change in changes.tell(now)]


def test_an_instance_is_told_once_with_its_last_change() -> None:
    changes: RecentChanges[str] = RecentChanges()
    changes.note(("S", "a"), "a", "ADDED", 0)
    changes.note(("S", "b"), "b", "ADDED", 1)
    changes.note(("S", "a"), "a", "DELETED", 2)
    assert told(changes, 3) == [("b", "ADDED"), ("a", "DELETED")]


def test_changes_are_told_for_three_minutes() -> None:
    changes: RecentChanges[str] = RecentChanges()
    changes.note(("S", "a"), "a", "ADDED", 0)
    changes.note(("S", "b"), "b", "ADDED", 100)
    assert len(told(changes, 179)) == 2
    assert told(changes, 180) == [("b", "ADDED")]
    assert told(changes, 280) == []


def test_a_version_is_a_different_delta() -> None:
    changes: RecentChanges[str] = RecentChanges()
    assert changes.version == 0
    told(changes, 0)
    told(changes, 0)
    assert changes.version == 1
    changes.note(("S", "a"), "a", "ADDED", 0)
    assert changes.version == 1  # it grows when it is told
    told(changes, 0)
    assert changes.version == 2
    told(changes, 180)
    assert changes.version == 3


def test_the_oldest_give_way() -> None:
    changes: RecentChanges[str] = RecentChanges(most=2)
    for name in "abc":
        changes.note(("S", name), name, "ADDED", 0)
    assert told(changes, 0) == [("b", "ADDED"), ("c", "ADDED")]


def test_what_is_told_no_more_is_forgotten_though_nobody_asks() -> None:
    subjects = [{number} for number in range(3)]
    gone = weakref.ref(subjects[0])
    changes: RecentChanges[set[int]] = RecentChanges()
    for number in range(3):
        changes.note(("S", str(number)), subjects[number], "DELETED", 100 * number)
    del subjects[0]
    assert gone() is None
