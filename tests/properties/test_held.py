"""Whatever comes for a slow client, in whatever order: what its queue promises holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.messages.counters import Counters
from server.messages.stages import Stage, StageLog
from server.sessions.held import Held, Note, SlowRule
from server.settings.instance import SlowPolicy

LIMIT = 60

#: (kind, size, key): a frame that may not be dropped, a message, or a piece that is written.
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["keep", "offer", "offer", "offer", "take"]), st.integers(1, 40), st.integers(0, 3)
    ),
    max_size=60,
)


@given(st.sampled_from(["terminate", "drop-oldest", "drop-newest", "conflate"]), OPERATIONS)
def test_a_queue_keeps_its_promises(policy: SlowPolicy, operations: list[tuple[str, int, int]]) -> None:
    counters, stages = Counters(), StageLog()
    held = Held(SlowRule(policy, LIMIT, counters, stages))
    kept: list[bytes] = []
    offered: dict[bytes, int] = {}
    written = b""
    for number, (kind, size, key) in enumerate(operations):
        if kind == "take":
            data, _ = held.take()
            written += data
            continue
        wire = f"<{number}:{'x' * size}>".encode()
        if kind == "keep" or policy == "terminate":
            kept.append(wire)
            fits = held.add(wire, (f"p{number}",))
        else:
            offered[wire] = number
            fits = held.offer(Note(wire, key, f"p{number}"))
        assert fits is (held.size <= LIMIT)
        if not fits:  # the client is cut; only what may not be dropped can have done that
            waiting = sum(len(frame) for frame in kept if frame not in written)
            assert policy in ("terminate", "conflate") or waiting > LIMIT
            held.clear()
            return
    while held:
        data, _ = held.take()
        written += data
    assert held.size == 0
    frames = [b"<" + frame for frame in written.split(b"<")[1:]]
    assert all(frame in kept or frame in offered for frame in frames), "no frame is split"
    numbers = [int(frame[1:].partition(b":")[0]) for frame in frames]
    assert numbers == sorted(numbers), "in order"
    assert [frame for frame in frames if frame in kept] == kept, "nothing is lost that may not be"
    dropped = [number for wire, number in offered.items() if wire not in frames]
    assert [stages.get(f"p{number}") for number in dropped] == [Stage.DROPPED] * len(dropped)
    assert counters.dropped_oldest + counters.dropped_newest + counters.conflated == len(dropped)
