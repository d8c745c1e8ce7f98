"""What waits for a client that does not read, and what happens when it becomes too much.

One bounded queue per session, counted in bytes (docs/wire/spring-relay.md §8). Four policies:

``terminate``: a client over the limit is cut with 4500, as with Spring. The default: it knows that it
missed something and can come again.
``drop-oldest``, ``drop-newest``: messages are dropped until the rest fits, from the front or the back.
``conflate``: of each subscription's destination only the newest message waits, from the first moment;
for values where only the last one counts, such as prices.

Only whole MESSAGE frames are ever dropped. CONNECTED, RECEIPT and ERROR, and messages that the client
must acknowledge, never are: a client over the limit with those alone is cut whatever the policy. Nobody
is drained for ever: a client that takes nothing at all for ``stall_s`` is cut too.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from typing import Final

import msgspec

from ..messages.counters import Counters
from ..messages.stages import Stage, StageLog
from ..settings.instance import SlowPolicy

#: Bytes that go to the connection at a time when it takes more again (its high-water mark).
PIECE: Final = 64 * 1024


class Note(msgspec.Struct, frozen=True):
    """What is known of framed bytes that may be dropped.

    Attributes:
        wire: The bytes; held here so that their identity is theirs as long as the note is.
        key: Equal for messages of which the newest replaces the others.
        push: The push's id, for the stages, or None.
    """

    wire: bytes
    key: Hashable
    push: str | None


class SlowRule:
    """The rule of one instance, and what it costs.

    Args:
        policy: What happens to a client over the limit.
        limit: Bytes that may wait for one client; exactly the limit is fine.
        counters: Counts what was dropped, by policy.
        stages: Where the last stage of a dropped push is noted.
    """

    def __init__(self, policy: SlowPolicy, limit: int, counters: Counters, stages: StageLog) -> None:
        self.policy: SlowPolicy = policy
        self.limit = limit
        #: Told of the pushes that were dropped: user and id.
        self.on_dropped: Callable[[str, str], None] = _unheard
        self._counters = counters
        self._stages = stages

    @property
    def drops(self) -> bool:
        """Whether messages are dropped, so that what may be dropped must be known."""
        return self.policy != "terminate"

    def dropped(self, user: str, push: str | None) -> None:
        """Count a message that was dropped."""
        match self.policy:
            case "drop-oldest":
                self._counters.dropped_oldest += 1
            case "drop-newest":
                self._counters.dropped_newest += 1
            case "conflate":
                self._counters.conflated += 1
            case "terminate":
                pass
        if push is not None:
            self._stages.set(push, Stage.DROPPED)
            self.on_dropped(user, push)


class _Entry(msgspec.Struct, frozen=True, gc=False):
    data: bytes
    pushes: Sequence[str]


class Held:
    """The queue of one session, from the moment its connection is full until it is empty again.

    Attributes:
        size: Bytes that wait.
    """

    __slots__ = ("_count", "_droppable", "_entries", "_rule", "_user", "size")

    def __init__(self, rule: SlowRule, user: str = "") -> None:
        self.size = 0
        self._rule = rule
        self._user = user
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._droppable: deque[Hashable] = deque()
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    @property
    def pushes(self) -> list[str]:
        """The pushes that wait."""
        return [push for entry in self._entries.values() for push in entry.pushes]

    def add(self, data: bytes, pushes: Sequence[str] = ()) -> bool:
        """Queue what may not be dropped; False if the client is over the limit now."""
        self._count += 1
        self._put(self._count, _Entry(data, pushes))
        return self._fit()

    def offer(self, note: Note) -> bool:
        """Queue a message that may be dropped; False if the client is over the limit all the same."""
        rule = self._rule
        entry = _Entry(note.wire, () if note.push is None else (note.push,))
        if rule.policy == "conflate":
            key = (note.key,)  # no number: those are of what may not be dropped
            older = self._entries.pop(key, None)
            if older is not None:
                self._forget(older)
            self._put(key, entry)
            return self.size <= rule.limit
        if rule.policy == "drop-newest" and self.size + len(note.wire) > rule.limit:
            rule.dropped(self._user, note.push)
            return self.size <= rule.limit
        self._count += 1
        self._put(self._count, entry)
        self._droppable.append(self._count)
        return self._fit()

    def take(self) -> tuple[bytes, list[str]]:
        """The next bytes to be written, whole frames of :data:`PIECE` or a little more, and their pushes."""
        data: list[bytes] = []
        pushes: list[str] = []
        size = 0
        entries = self._entries
        while entries and size < PIECE:
            _, entry = entries.popitem(last=False)
            data.append(entry.data)
            pushes.extend(entry.pushes)
            size += len(entry.data)
        self.size -= size
        if not entries:
            self._droppable.clear()
        return b"".join(data), pushes

    def clear(self) -> list[str]:
        """Drop everything, uncounted; returns the pushes among it."""
        pushes = self.pushes
        self._entries.clear()
        self._droppable.clear()
        self.size = 0
        return pushes

    def _put(self, key: Hashable, entry: _Entry) -> None:
        self._entries[key] = entry
        self.size += len(entry.data)

    def _fit(self) -> bool:
        """Drop messages until the rest fits, if that is the policy; whether it fits."""
        limit, droppable = self._rule.limit, self._droppable
        while self.size > limit and droppable:
            key = droppable.popleft() if self._rule.policy == "drop-oldest" else droppable.pop()
            entry = self._entries.pop(key, None)
            if entry is not None:  # it may have been written meanwhile
                self._forget(entry)
        return self.size <= limit

    def _forget(self, entry: _Entry) -> None:
        self.size -= len(entry.data)
        self._rule.dropped(self._user, entry.pushes[0] if entry.pushes else None)


def _unheard(user: str, push: str) -> None:
    """Nobody wants to know."""
