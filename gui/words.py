"""Codes of the engine as words for people: states, steps, stages, problems, markers.

The core speaks in codes; here is the one place that turns them into text. An unknown code is
shown as it is rather than hidden.
"""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

_CONTEXT = "Words"

_STATES = {
    "idle": QT_TRANSLATE_NOOP("Words", "Idle"),
    "starting": QT_TRANSLATE_NOOP("Words", "Starting"),
    "running": QT_TRANSLATE_NOOP("Words", "Running"),
    "draining": QT_TRANSLATE_NOOP("Words", "Draining"),
    "stopping": QT_TRANSLATE_NOOP("Words", "Stopping"),
    "stopped": QT_TRANSLATE_NOOP("Words", "Stopped"),
    "failed": QT_TRANSLATE_NOOP("Words", "Failed"),
    "ready": QT_TRANSLATE_NOOP("Words", "Ready"),
    "paused": QT_TRANSLATE_NOOP("Words", "Paused"),
    "dead": QT_TRANSLATE_NOOP("Words", "Dead"),
    "connecting": QT_TRANSLATE_NOOP("Words", "Connecting"),
    "connected": QT_TRANSLATE_NOOP("Words", "Connected"),
    "reconnecting": QT_TRANSLATE_NOOP("Words", "Reconnecting"),
    "disconnected": QT_TRANSLATE_NOOP("Words", "Disconnected"),
}

_STEPS = {
    "engine": QT_TRANSLATE_NOOP("Words", "Engine"),
    "ports": QT_TRANSLATE_NOOP("Words", "Ports"),
    "broker": QT_TRANSLATE_NOOP("Words", "Broker"),
    "discovery": QT_TRANSLATE_NOOP("Words", "Discovery"),
    "instances": QT_TRANSLATE_NOOP("Words", "Instances"),
    "gateway": QT_TRANSLATE_NOOP("Words", "Gateway"),
    "users": QT_TRANSLATE_NOOP("Words", "Users"),
}

_STAGES = {
    "accepted": QT_TRANSLATE_NOOP("Words", "accepted"),
    "to-broker": QT_TRANSLATE_NOOP("Words", "to broker"),
    "from-broker": QT_TRANSLATE_NOOP("Words", "from broker"),
    "written": QT_TRANSLATE_NOOP("Words", "written to socket"),
    "no-session": QT_TRANSLATE_NOOP("Words", "no session"),
    "unknown": QT_TRANSLATE_NOOP("Words", "unknown"),
    "": QT_TRANSLATE_NOOP("Words", "unknown"),
}

_MARKERS = {
    "kill": QT_TRANSLATE_NOOP("Words", "kill"),
    "stop": QT_TRANSLATE_NOOP("Words", "stop"),
    "pause": QT_TRANSLATE_NOOP("Words", "pause"),
    "resume": QT_TRANSLATE_NOOP("Words", "resume"),
    "add": QT_TRANSLATE_NOOP("Words", "add"),
    "remove": QT_TRANSLATE_NOOP("Words", "remove"),
    "dead": QT_TRANSLATE_NOOP("Words", "died"),
    "run-start": QT_TRANSLATE_NOOP("Words", "run starts"),
    "run-stop": QT_TRANSLATE_NOOP("Words", "run ends"),
}

_PROBLEMS = {
    "engine-died": QT_TRANSLATE_NOOP("Words", "The engine ended unexpectedly"),
    "engine-start": QT_TRANSLATE_NOOP("Words", "The engine could not be started"),
    "cluster-start": QT_TRANSLATE_NOOP("Words", "The cluster did not start"),
    "port-taken": QT_TRANSLATE_NOOP("Words", "A port is taken"),
    "unreachable": QT_TRANSLATE_NOOP("Words", "The target does not answer"),
    "saturated": QT_TRANSLATE_NOOP("Words", "The load generator is saturated; latencies are not trustworthy"),
    "crash": QT_TRANSLATE_NOOP("Words", "The window ran into an error"),
}

_STRATEGIES = {
    "relay": QT_TRANSLATE_NOOP("Words", "Users are resolved across instances, the broker relays"),
    "broadcast": QT_TRANSLATE_NOOP("Words", "Every instance gets every push and checks its own sockets"),
    "none": QT_TRANSLATE_NOOP("Words", "Local sockets only: the bug this program shows"),
}


def _say(table: Mapping[str, object], code: str) -> str:
    text = table.get(code)
    return code if text is None else QCoreApplication.translate(_CONTEXT, str(text))


def state(code: str) -> str:
    """A state of a run, a cluster, an instance, a part or a user."""
    return _say(_STATES, code)


def step(code: str) -> str:
    """A step of the start-up checklist."""
    return _say(_STEPS, code)


def part(name: str) -> str:
    """A process of the cluster by its name; an instance's id stays as it is."""
    return _say(_STEPS, name)


def stage(code: str) -> str:
    """The last place at which a lost push was seen, for example ``resolved:2``."""
    if code.startswith("resolved:"):
        count = code.partition(":")[2]
        return QCoreApplication.translate(_CONTEXT, "resolved to {count}").format(count=count)
    return _say(_STAGES, code)


def marker(kind: str, target: str) -> str:
    """An event's label on the charts: ``kill i2``."""
    return f"{_say(_MARKERS, kind)} {target}".strip()


def problem(code: str) -> str:
    """A problem's headline; the engine's own sentence follows it."""
    return _say(_PROBLEMS, code)


def strategy(code: str) -> str:
    """What a delivery strategy does, in one line."""
    return _say(_STRATEGIES, code)
