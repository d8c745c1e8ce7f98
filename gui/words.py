"""Codes of the engine as words for people: states, steps, stages, problems, markers.

The core speaks in codes; here is the one place that turns them into text. An unknown code is
shown as it is rather than hidden.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from core.cleaning import clean_line

#: Under this name lupdate finds the texts.
translate = QCoreApplication.translate

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
    "no-subscriber": QT_TRANSLATE_NOOP("Words", "no subscriber"),
    "queued": QT_TRANSLATE_NOOP("Words", "queued for socket"),
    "cut": QT_TRANSLATE_NOOP("Words", "cut off with the connection"),
    "dropped": QT_TRANSLATE_NOOP("Words", "dropped for a slow client"),
    "the user was not connected": QT_TRANSLATE_NOOP("Words", "user offline"),
    "not known: the push API has no ids": QT_TRANSLATE_NOOP("Words", "not known: the push API has no ids"),
    "unknown": QT_TRANSLATE_NOOP("Words", "unknown"),
    "not known to any instance": QT_TRANSLATE_NOOP("Words", "not known to any instance"),
    "": QT_TRANSLATE_NOOP("Words", "missing so far"),
}

_MARKERS = {
    "kill": QT_TRANSLATE_NOOP("Words", "kill"),
    "stop": QT_TRANSLATE_NOOP("Words", "stop"),
    "pause": QT_TRANSLATE_NOOP("Words", "pause"),
    "resume": QT_TRANSLATE_NOOP("Words", "resume"),
    "drain": QT_TRANSLATE_NOOP("Words", "out of service"),
    "undrain": QT_TRANSLATE_NOOP("Words", "in service again"),
    "add": QT_TRANSLATE_NOOP("Words", "add"),
    "remove": QT_TRANSLATE_NOOP("Words", "remove"),
    "dead": QT_TRANSLATE_NOOP("Words", "died"),
    "broker-lost": QT_TRANSLATE_NOOP("Words", "no broker"),
    "broker-back": QT_TRANSLATE_NOOP("Words", "broker again"),
    "run-start": QT_TRANSLATE_NOOP("Words", "run starts"),
    "run-stop": QT_TRANSLATE_NOOP("Words", "run ends"),
}

_PROBLEMS = {
    "engine-died": QT_TRANSLATE_NOOP("Words", "The engine ended unexpectedly"),
    "engine-start": QT_TRANSLATE_NOOP("Words", "The engine could not be started"),
    "crash": QT_TRANSLATE_NOOP("Words", "The window ran into an error"),
    "ClusterStartError": QT_TRANSLATE_NOOP("Words", "The cluster did not start"),
    "PortTakenError": QT_TRANSLATE_NOOP("Words", "A port is taken"),
    "TargetUnreachable": QT_TRANSLATE_NOOP("Words", "The target does not answer"),
    "BrokerUnavailable": QT_TRANSLATE_NOOP("Words", "The broker cannot be reached"),
    "ConnectionClosed": QT_TRANSLATE_NOOP("Words", "A connection was closed"),
    "UsageError": QT_TRANSLATE_NOOP("Words", "That is not possible now"),
    "ScenarioError": QT_TRANSLATE_NOOP("Words", "The scenario is not usable"),
    "worker-died": QT_TRANSLATE_NOOP("Words", "A load generator ended unexpectedly"),
    "users-not-connected": QT_TRANSLATE_NOOP("Words", "Some users could not be connected"),
    "users-known-otherwise": QT_TRANSLATE_NOOP("Words", "The server knows users by other names"),
    "fault-failed": QT_TRANSLATE_NOOP("Words", "A planned fault could not be applied"),
    "bad-command": QT_TRANSLATE_NOOP("Words", "The engine did not understand a command"),
    "internal": QT_TRANSLATE_NOOP("Words", "The engine ran into an error"),
    "saturated": QT_TRANSLATE_NOOP("Words", "The load generator is saturated; latencies are not trustworthy"),
}

_BROKERS = {
    "embedded": QT_TRANSLATE_NOOP("Words", "embedded"),
    "memory": QT_TRANSLATE_NOOP("Words", "in memory"),
}

_STRATEGIES = {
    "relay": QT_TRANSLATE_NOOP("Words", "Users are resolved across instances, the broker relays"),
    "broadcast": QT_TRANSLATE_NOOP("Words", "Every instance gets every push and checks its own sockets"),
    "none": QT_TRANSLATE_NOOP("Words", "Local sockets only: the bug this program shows"),
}


_TRANSPORTS = {
    "websocket": "WebSocket",
    "sockjs-websocket": "SockJS: websocket",
    "xhr-streaming": "SockJS: xhr-streaming",
    "eventsource": "SockJS: eventsource",
    "xhr-polling": "SockJS: xhr-polling",
    "mixed": QT_TRANSLATE_NOOP("Words", "mixed transports"),
}


def _say(table: Mapping[str, object], code: str) -> str:
    text = table.get(code)
    return clean_line(code) if text is None else translate("Words", str(text))


def state(code: str) -> str:
    """A state of a run, a cluster, an instance, a part or a user."""
    return _say(_STATES, code)


def step(code: str) -> str:
    """A step of the start-up checklist."""
    return _say(_STEPS, code)


def part(name: str) -> str:
    """A process of the cluster by its name; an instance's id stays as it is."""
    return _say(_STEPS, name)


def stage(text: str) -> str:
    """Where a lost push was last seen.

    The engine gives parts joined by semicolons, such as ``resolved:2 on i1; instance i2 died``.
    """
    return translate("Words", "; ").join(_stage_part(part.strip()) for part in text.split(";"))


def _stage_part(part: str) -> str:
    if died := re.fullmatch(r"instance (\S+) died", part):
        return translate("Words", "{id} died").format(id=died[1])
    if part in _STAGES:
        return _say(_STAGES, part)
    name, _, place = part.partition(" on ")
    if name.startswith("resolved:"):
        said = translate("Words", "resolved to {count}").format(count=name.partition(":")[2])
    else:
        said = _say(_STAGES, name)
    return translate("Words", "{stage} on {id}").format(stage=said, id=place) if place else said


def marker(kind: str, target: str) -> str:
    """An event's label on the charts: ``kill i2``."""
    named = "" if kind.startswith("run-") else target
    return f"{_say(_MARKERS, kind)} {named}".strip()


def problem(code: str) -> str:
    """A problem's headline; the engine's own sentence follows it."""
    return _say(_PROBLEMS, code)


def broker(url: str) -> str:
    """What kind of broker an address names."""
    return _say(_BROKERS, url.partition(":")[0])


def strategy(code: str) -> str:
    """What a delivery strategy does, in one line."""
    return _say(_STRATEGIES, code)


def transport(code: str) -> str:
    """What users connect with."""
    return _say(_TRANSPORTS, code)
