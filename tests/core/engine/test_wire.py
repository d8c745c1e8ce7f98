"""The lines of an engine's pipes: what is written is read again."""

from __future__ import annotations

import pytest

from core.engine.messages import (
    AddUsers,
    Command,
    Control,
    Event,
    Finished,
    PushOnce,
    SetRate,
    StartRun,
    StateChanged,
    StopRun,
)
from core.engine.wire import decode_command, decode_event, encode_command, encode_event
from core.environment import ClusterSpec, InstanceChanged, StartStep
from core.errors import UsageError
from core.load.scenario import Fault, Scenario

COMMANDS: list[Command] = [
    StartRun(Scenario(name="ü\n", faults=(Fault(1.5, "kill", "i2"),)), ClusterSpec(ports=(1, 2, 3)), "out"),
    StopRun(force=True),
    Control("add"),
    AddUsers(3),
    PushOnce(1, None, "text\n\0", headers={"a": "b"}),
    SetRate(0.5, "i1"),
]
EVENTS: list[Event] = [
    StateChanged(1.25, "running", "idle"),
    StartStep("users", "failed", detail="a\nb"),
    Finished({"lost": 0, "matrix": []}, 11),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: type(each).__name__)
def test_commands(command: Command) -> None:
    line = encode_command(command)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_command(line) == command


@pytest.mark.parametrize("event", EVENTS, ids=lambda each: type(each).__name__)
def test_events(event: Event) -> None:
    line = encode_event(event)
    assert line.count(b"\n") == 1
    assert decode_event(line) == event


@pytest.mark.parametrize(
    "line", [b"", b"{}", b'{"type":"Explode"}', b'{"type":"AddUsers","count":"x"}', b"\xff"]
)
def test_what_is_no_command_is_refused(line: bytes) -> None:
    with pytest.raises(UsageError, match="not a command"):
        decode_command(line)


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(UsageError, match="not an event"):
        decode_event(b'{"type":"InstanceChanged"}')
    assert InstanceChanged.__struct_config__.tag == "InstanceChanged"
